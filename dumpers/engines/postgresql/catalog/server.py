"""The server as a whole: its version, whether it is a standby, and its databases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import shown
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
_SERVER = """
SELECT json_build_object(
  'number', current_setting('server_version_num')::int,
  'version', current_setting('server_version'),
  'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
  'database', current_database(),
  'first_role', pg_get_userbyid(10),
  'in_recovery', pg_is_in_recovery(),
  'settings', (SELECT coalesce(json_agg(s.s), '[]') FROM pg_db_role_setting r,
    unnest(r.setconfig) AS s(s) WHERE r.setdatabase = 0 AND r.setrole = 0),
  'databases', (SELECT json_agg(q ORDER BY q.name) FROM (
    SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner,
      pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
      to_jsonb(d) ->> 'datlocprovider' AS provider,
      coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
      to_jsonb(d) ->> 'daticurules' AS rules,
      d.datistemplate AS template, d.datallowconn AS allows, d.datconnlimit AS connections,
      has_database_privilege(d.oid, 'CONNECT') AS may_connect,
      (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace,
      shobj_description(d.oid, 'pg_database') AS comment,
      (SELECT coalesce(json_agg(json_build_array(
          CASE WHEN r.setrole <> 0 THEN pg_get_userbyid(r.setrole) END, s.s)), '[]')
        FROM pg_db_role_setting r, unnest(r.setconfig) AS s(s) WHERE r.setdatabase = d.oid
      ) AS settings,
      (SELECT coalesce(json_agg(json_build_array(l.provider, l.label)), '[]') FROM pg_shseclabel l
        WHERE l.classoid = 'pg_database'::regclass AND l.objoid = d.oid) AS labels,
      (SELECT coalesce(json_agg(json_build_array(CASE WHEN a.grantee <> 0
          THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)), '[]')
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a) AS rights,
      (SELECT coalesce(json_agg(json_build_array(CASE WHEN a.grantee <> 0
          THEN pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable)), '[]')
        FROM aclexplode(acldefault('d', d.datdba)) a) AS default_rights
    FROM pg_database d) AS q))"""
# Apart from the rest, and only of a standby: there are servers, such as Aurora, that know these
# functions and refuse to answer them.
_AGE = """
SELECT json_build_object(
  'paused', pg_is_wal_replay_paused(),
  'caught_up', coalesce(pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn(), false),
  'replayed', to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
  'lag', extract(epoch FROM now() - pg_last_xact_replay_timestamp())::bigint)"""
# What a new server's databases do not have.
_HOLDS_ANYTHING = "SELECT {}".format(
    " OR ".join(
        f"EXISTS (SELECT FROM {catalog} WHERE oid >= 16384)"
        for catalog in ("pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_extension")
    )
)
# A database whose DROP did not end has this limit of connections; nobody can connect to it.
_INVALID = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database as the server's own catalogs have it; `rights` are who, what, and grantable.

    A role of None stands for everybody: in `rights` for PUBLIC, in `settings` for all roles.
    `provider` is empty before PostgreSQL 15.
    """

    name: str
    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str
    rules: str
    tablespace: str
    comment: str
    template: bool
    allows: bool
    may_connect: bool
    connections: int
    settings: tuple[tuple[str | None, str], ...]
    labels: tuple[tuple[str, str], ...]
    rights: frozenset[tuple[str | None, str, bool]]
    default_rights: frozenset[tuple[str | None, str, bool]]

    @property
    def is_closed(self) -> bool:
        """Whether this account certainly cannot connect."""
        return not self.allows or not self.may_connect or self.connections == _INVALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that is dumped. `database` is the one of the connection.

    `standby` says in words how old a standby's data is; empty on a primary. `settings` are those of
    all roles in all databases, which pg_dumpall passes over. `first_role` is the superuser that the
    server was made with, who owns what is built in.
    """

    major: int
    version: str
    is_superuser: bool
    database: str
    standby: str
    databases: Mapping[str, Database]
    settings: tuple[str, ...] = ()
    first_role: str = ""

    @property
    def in_recovery(self) -> bool:
        """Whether the server is a standby."""
        return bool(self.standby)


def ask_server(session: Session, interrupt: Interrupt) -> Server:
    """Ask the server about itself; SourceFailedError if it answers as no PostgreSQL does."""
    text = shown(session.ask_text(_SERVER, interrupt))
    try:
        found = json.loads(text)
        return Server(
            major=found["number"] // 10_000,
            version=found["version"],
            is_superuser=bool(found["superuser"]),
            database=found["database"],
            standby=_ask_age(session, interrupt) if found["in_recovery"] else "",
            settings=tuple(found["settings"]),
            first_role=found["first_role"],
            databases={item["name"]: _database(item) for item in found["databases"]},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise SourceFailedError(
            f"the server does not answer as PostgreSQL does: {text[:300]!r}"
        ) from error


def holds_anything(session: Session, interrupt: Interrupt) -> bool:
    """Whether somebody has made anything in the session's database."""
    return session.ask_text(_HOLDS_ANYTHING, interrupt) == "t"


def _database(found: Mapping[str, Any]) -> Database:
    return Database(
        name=found["name"],
        owner=found["owner"],
        encoding=found["encoding"],
        collate=found["collate"],
        ctype=found["ctype"],
        provider=found["provider"] or "",
        locale=found["locale"] or "",
        rules=found["rules"] or "",
        tablespace=found["tablespace"] or "",
        comment=found["comment"] or "",
        template=found["template"],
        allows=found["allows"],
        may_connect=found["may_connect"],
        connections=found["connections"],
        settings=_tuples(found["settings"]),
        labels=_tuples(found["labels"]),
        rights=frozenset(_tuples(found["rights"])),
        default_rights=frozenset(_tuples(found["default_rights"])),
    )


def _tuples(rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(map(tuple, rows))


def _ask_age(session: Session, interrupt: Interrupt) -> str:
    """Ask a standby how old its data is; in words, also where it does not answer."""
    try:
        return _age(json.loads(session.ask_text(_AGE, interrupt)))
    except (SourceFailedError, SourceRefusedError) as error:
        return f"it does not tell how far behind its primary it is ({error})"


def _age(found: Mapping[str, Any]) -> str:
    """How old a standby's data is, in words."""
    paused = ", and its replay is paused" if found["paused"] else ""
    if found["replayed"] is None:
        return f"it does not tell how far behind its primary it is{paused}"
    last = f"the last transaction that it has replayed is of {found['replayed']} UTC"
    if found["caught_up"] and not found["paused"]:
        return f"{last}, and it has replayed all that it has received"
    return f"{last}, {found['lag']} s before the dump began{paused}"
