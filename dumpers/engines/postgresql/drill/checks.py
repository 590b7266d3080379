"""Asking a user's own checks of restored databases, each as an account that is no superuser."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dumpers.contract.connection import Connection
from dumpers.contract.drill.checks import Check
from dumpers.engines.drilling.checking import (
    CHECK_SECONDS,
    AskCheck,
    StatementError,
    choose_database,
)
from dumpers.engines.drilling.own_server import check_mark
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.names import free_name
from dumpers.engines.postgresql.clients import Session, quote_identifier
from dumpers.engines.postgresql.drill.prepare import set_session, split
from dumpers.engines.postgresql.drill.server import LOGIN
from dumpers.engines.postgresql.drill.statement import first_values
from dumpers.engines.postgresql.restore.load import run_script
from dumpers.engines.postgresql.restore.target import open_session
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader

# Of the role that stands in for an owner.
_NAME = "ksnapshot_check"
# An owner that is a superuser, could become one, or reaches the server's files or programs.
_OWNER = """
SELECT pg_catalog.json_build_object('login', session_user, 'owner', o.rolname, 'is_safe',
  NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles r
    WHERE (r.rolsuper OR r.rolname IN ('pg_execute_server_program', 'pg_read_server_files',
      'pg_write_server_files')) AND pg_catalog.pg_has_role(o.oid, r.oid, 'MEMBER')),
  'roles', (SELECT pg_catalog.json_agg(r.rolname) FROM pg_catalog.pg_roles r),
  'schemas', (SELECT coalesce(pg_catalog.json_agg(n.nspname), '[]') FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid = d.datdba
WHERE d.datname = pg_catalog.current_database()"""
_UNCLEAR = (
    "the backup holds several databases: name one by a line `-- database: NAME` before the check"
)
_READING = ("USAGE ON", "SELECT ON ALL TABLES IN", "SELECT ON ALL SEQUENCES IN")


@dataclass(slots=True, kw_only=True)
class _Users:
    """The role that checks of each database run as, which logs in from then on."""

    known: dict[str, str] = field(default_factory=dict)
    # The one that stands in for owners, empty before the first that needs it.
    own: str = ""

    def at(self, session: Session, interrupt: Interrupt) -> str:
        database = session.connection.database
        if database not in self.known:
            self.known[database] = self._make(session, interrupt)
        return self.known[database]

    def _make(self, session: Session, interrupt: Interrupt) -> str:
        found = json.loads(session.ask_text(_OWNER, interrupt))
        check_mark(session.connection, has=found["login"] == LOGIN, mark=f"the login {LOGIN}")
        # A database may set another one for all its sessions.
        lines = ["SET ROLE NONE"]
        if found["is_safe"]:
            user = str(found["owner"])
        else:
            if not self.own:
                self.own = free_name(_NAME, found["roles"])
                lines.append(f"CREATE ROLE {quote_identifier(self.own)} NOSUPERUSER BYPASSRLS")
            user = self.own
            for schema in map(quote_identifier, found["schemas"]):
                lines += [
                    f"GRANT {right} SCHEMA {schema} TO {quote_identifier(user)}"
                    for right in _READING
                ]
        name, database = map(quote_identifier, (user, session.connection.database))
        lines += [
            f"ALTER ROLE {name} LOGIN CONNECTION LIMIT -1",
            f"GRANT CONNECT ON DATABASE {database} TO {name}",
        ]
        script = "".join(f"{line};\n" for line in lines).encode("utf-8", "surrogateescape")
        run_script(session, IterReader(iter([script])), interrupt)
        return user


def open_checks(
    server: Connection,
    objects: Sequence[DrilledObject],
    interrupt: Interrupt,
    *,
    seconds: int = CHECK_SECONDS,
) -> AskCheck:
    """See CheckedEngine: as the owner of the database, by a login of its own, where that is safe.

    Else as a new role that may read every table, past all policies. No role is set that a statement
    could set back.
    """
    databases, _ = split(objects)
    names = [piece.name for piece in databases]
    session = open_session(server, interrupt)
    set_session(session, {}, interrupt)
    users = _Users()
    settings = {
        "statement_timeout": str(seconds * 1000),
        "default_transaction_read_only": "on",
        "role": "none",
    }

    def ask(check: Check, interrupt: Interrupt) -> Iterator[str | None]:
        name = choose_database(check, names)
        if not name:
            raise StatementError(_UNCLEAR)
        user = users.at(session.at(name), interrupt)
        login = replace(server, username=user, database=name, password="")
        return first_values(login, settings, check.sql, interrupt)

    return ask
