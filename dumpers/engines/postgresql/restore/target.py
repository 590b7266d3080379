"""The server that is restored into: what it is, and what the login may do there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql import clients
from dumpers.engines.postgresql.catalog.server import Server, ask_server
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.errors import is_closed
from dumpers.runtime.errors import RESTORE_ERRORS, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Where a session stands that makes, renames and drops other databases.
_MAINTENANCE = ("postgres", "template1")
_MISSING = 'database "{}" does not exist'
_LOGIN = """
SELECT json_build_object(
  'name', current_user,
  'superuser', r.rolsuper,
  'creates_databases', r.rolsuper OR r.rolcreatedb,
  'signals', r.rolsuper OR pg_has_role('pg_signal_backend', 'USAGE'),
  'creates_schemas', has_database_privilege(current_database(), 'CREATE'),
  'member_of', (SELECT coalesce(json_agg(o.rolname), '[]') FROM pg_roles o
    WHERE pg_has_role(o.oid, 'MEMBER')),
  'roles', (SELECT json_agg(rolname) FROM pg_roles),
  'extensions', (SELECT coalesce(json_agg(name), '[]') FROM pg_available_extensions),
  'oids', (SELECT json_object_agg(datname, oid) FROM pg_database),
  'prepared', (SELECT coalesce(json_agg(json_build_array(database, gid)), '[]')
    FROM pg_prepared_xacts),
  'slots', (SELECT coalesce(json_agg(json_build_array(database, slot_name)), '[]')
    FROM pg_replication_slots WHERE database IS NOT NULL))
FROM pg_roles r WHERE r.rolname = current_user"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What the account may do; `creates_schemas` is about the session's database."""

    name: str
    superuser: bool
    creates_databases: bool
    signals: bool
    creates_schemas: bool
    member_of: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that answers.

    `session` is at the connection's database, or at another one where that is missing. `oids` are
    databases' own numbers, by which they stay the same under any name. `prepared` and `slots` are
    (database, name) of prepared transactions and logical replication slots.
    """

    session: Session
    server: Server
    login: Login
    roles: frozenset[str]
    extensions: frozenset[str]
    oids: Mapping[str, int]
    prepared: Sequence[tuple[str, str]]
    slots: Sequence[tuple[str, str]]


def look_at_target(connection: Connection, interrupt: Interrupt) -> Target:
    """Log in and ask; at another database where the connection's is missing or closed.

    Raises TargetRefusedError and TargetFailedError.
    """
    session = _reach(connection, connection.database, interrupt)
    server = ask_server(session, interrupt)
    text = session.ask_text(_LOGIN, interrupt)
    try:
        return _parse(session, server, json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise TargetFailedError(
            f"the server does not answer as PostgreSQL does: {text[:300]!r}"
        ) from error


def away_from(session: Session, names: Sequence[str], interrupt: Interrupt) -> Session:
    """A session at a database that is none of these; TargetRefusedError where there is none."""
    said = ""
    for name in _MAINTENANCE:
        if name in names:
            continue
        try:
            session.at(name).ask("SELECT 1", interrupt)
        except TargetRefusedError as error:
            said = f": {error}"
            continue
        return session.at(name)
    raise TargetRefusedError(
        "to make, rename or drop databases the account has to connect to another one, postgres or "
        f"template1, and cannot{said}"
    )


def open_session(connection: Connection, interrupt: Interrupt) -> Session:
    """A session of the server's own clients, else of the newest, which load into older servers.

    pg_restore of 17 and newer does not: it sets what older servers do not know.
    """
    installed = clients.find(interrupt)
    newest = installed[max(installed)]
    session = Session(connection=connection, folder=newest.folder, errors=RESTORE_ERRORS)
    [[number]] = session.ask("SHOW server_version_num", interrupt)
    own = installed.get(int(number) // 10_000, newest) if number.isdigit() else newest
    return replace(session, folder=own.folder)


def _reach(connection: Connection, database: str, interrupt: Interrupt) -> Session:
    first: TargetRefusedError | None = None
    for name in dict.fromkeys((database, *_MAINTENANCE)):
        try:
            return open_session(replace(connection, database=name), interrupt)
        except TargetRefusedError as error:
            first = first or error
            if _MISSING.format(name) not in str(error) and not is_closed(str(error)):
                raise first from error
    assert first is not None
    raise first


def _parse(session: Session, server: Server, found: Mapping[str, Any]) -> Target:
    return Target(
        session=session,
        server=server,
        login=Login(
            name=found["name"],
            superuser=found["superuser"],
            creates_databases=found["creates_databases"],
            signals=found["signals"],
            creates_schemas=found["creates_schemas"],
            member_of=frozenset(found["member_of"]),
        ),
        roles=frozenset(found["roles"]),
        extensions=frozenset(found["extensions"]),
        oids=found["oids"],
        prepared=[(database, gid) for database, gid in found["prepared"]],
        slots=[(database, name) for database, name in found["slots"]],
    )
