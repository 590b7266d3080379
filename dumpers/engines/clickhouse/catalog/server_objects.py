"""Reading what is no database or table: functions, named collections, accounts, workloads."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.accounts import (
    hides_password,
    read_access,
    read_configured_accounts,
    read_handlers,
    read_workloads,
    subject_of,
)
from dumpers.engines.clickhouse.catalog.system_tables import Scope
from dumpers.engines.clickhouse.schema.table_notes import HIDDEN
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt

_COLLECTIONS = re.compile(r"GRANT (?:.*\bNAMED COLLECTION|ALL )")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObjects:
    """What a server holds besides databases; `functions` and `access` are statements."""

    functions: tuple[str, ...] = ()
    collections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    access: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Teller:
    """Collects notes; unless `everything` was asked for, of what these statements mention only."""

    statements: Sequence[str]
    everything: bool
    notes: list[Note] = field(default_factory=list)

    def tell(self, code: NoteCode, text: str, names: Sequence[str]) -> None:
        """Note some of these objects, if any."""
        about = [
            name
            for name in names
            if self.everything or any(name in statement for statement in self.statements)
        ]
        if about:
            self.notes.append(Note(code=code, text=text, objects=tuple(about)))

    def tell_globals(self, text: str) -> None:
        """Note what belongs to the whole server."""
        if self.everything:
            self.notes.append(Note(code=NoteCode.GLOBALS, text=text))


def read_server_objects(
    server: Server,
    scope: Scope,
    statements: Sequence[str],
    interrupt: Interrupt,
    *,
    grants: Sequence[str],
    everything: bool,
) -> ServerObjects:
    """Read the objects that a dump can take, with notes on those that it cannot.

    Unless `everything` was asked for, the notes are of what these `statements` mention only.
    `grants` are the account's, empty where the server has none.
    """
    teller = _Teller(statements=statements, everything=everything)

    def allowed(what: str, ask: Callable[[], Sequence[str]]) -> tuple[str, ...]:
        try:
            return tuple(ask())
        except server.errors.refused:
            teller.tell_globals(
                f"{what} are not in this dump, as this account may not see them: GRANT SHOW ACCESS "
                "ON *.*"
            )
            return ()

    collections = _collections(server, scope, interrupt)
    hidden = [name for name, values in collections.items() if HIDDEN in values.values()]
    if grants and not any(_COLLECTIONS.search(grant) for grant in grants):
        # The server shows an empty list instead of an error.
        teller.tell_globals(
            "named collections are not in this dump, as this account may not see any: GRANT SHOW "
            "NAMED COLLECTIONS, SHOW NAMED COLLECTIONS SECRETS ON *"
        )
    _tell_of_files(server, scope, teller, interrupt)
    if everything:
        teller.tell(
            NoteCode.NOT_DUMPED,
            "tables and views that somebody made in the server's own database are in no dump: move "
            "them into another one",
            _made_in_system(server, interrupt),
        )
    access = allowed("accounts, roles and policies", lambda: read_access(server, scope, interrupt))
    teller.tell(
        NoteCode.SECRETS_HIDDEN,
        "the server hides values of these named collections, so they are not in this dump: create "
        "them by hand before a restore",
        hidden,
    )
    if everything:
        teller.tell(
            NoteCode.SECRETS_HIDDEN,
            "the server hides the passwords of these accounts: a restore makes them only after "
            "they were put in",
            [subject_of(text)[1] for text in access if hides_password(text)],
        )
    functions = allowed(
        "functions in SQL",
        lambda: _functions(server, scope, "SQLUserDefined", "create_query", interrupt),
    )
    handlers = allowed("handlers of HTTP", lambda: read_handlers(server, scope, interrupt))
    return ServerObjects(
        functions=functions,
        collections={name: each for name, each in collections.items() if name not in hidden},
        access=(*access, *read_workloads(server, scope, interrupt), *handlers),
        notes=tuple(teller.notes),
    )


def _tell_of_files(server: Server, scope: Scope, teller: _Teller, interrupt: Interrupt) -> None:
    """Note what the server's own files hold, which no query gives."""
    teller.tell(
        NoteCode.NOT_DUMPED,
        "these dictionaries are in the server's configuration files, which are not in this dump: "
        "copy them",
        _configured_dictionaries(server, scope, interrupt),
    )
    teller.tell(
        NoteCode.NOT_DUMPED,
        "these functions are scripts of the server, which are not in this dump: copy them with "
        "their configuration",
        _functions(server, scope, "ExecutableUserDefined", "name", interrupt),
    )
    if server.address:
        teller.tell_globals(
            "accounts are not in this dump, as they are not read through another server"
        )
    elif teller.everything:
        teller.tell(
            NoteCode.GLOBALS,
            "these accounts, profiles and quotas are in the server's configuration files, which "
            "are not in this dump: copy them",
            read_configured_accounts(server, scope, interrupt),
        )


def _made_in_system(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """What lies in the database `system` and is neither the server's own nor a log of it.

    Nor clickhouse-backup's tables, which it makes itself and which hold nothing.
    """
    rows = server.rows(
        f"SELECT name FROM {server.source('system', 'tables')} "  # noqa: S608  quoted
        "WHERE database = 'system' AND engine NOT LIKE 'System%' "
        "AND NOT match(name, '_log(_.*)?$') AND NOT (engine = 'URL' AND name LIKE 'backup_%') "
        "AND create_table_query <> '' ORDER BY name",
        interrupt,
    )
    return tuple(f"system.{row[0]}" for row in rows)


def _functions(
    server: Server, scope: Scope, origin: str, column: str, interrupt: Interrupt
) -> Sequence[str]:
    """A column of the functions of an origin; none where the server knows none such."""
    if not scope.has("functions", "origin", "create_query"):
        return ()
    rows = server.rows(
        f"SELECT {column} FROM {server.source('system', 'functions')} "  # noqa: S608  constants
        f"WHERE toString(origin) = '{origin}' ORDER BY name",
        interrupt,
    )
    return tuple(row[0] for row in rows)


def _collections(
    server: Server, scope: Scope, interrupt: Interrupt
) -> Mapping[str, Mapping[str, str]]:
    """The named collections that the account may see, with their values, which may be hidden."""
    if not scope.has("named_collections"):
        return {}
    source = server.source("system", "named_collections")
    rows = server.rows(f"SELECT name, collection FROM {source} ORDER BY name", interrupt)  # noqa: S608  quoted
    return dict(rows)


def _configured_dictionaries(server: Server, scope: Scope, interrupt: Interrupt) -> Sequence[str]:
    if not scope.has("dictionaries", "name", "origin"):
        return ()
    # Old releases have no others.
    where = " WHERE database = ''" if scope.has("dictionaries", "database") else ""
    source = server.source("system", "dictionaries")
    rows = server.rows(f"SELECT name FROM {source}{where} ORDER BY name", interrupt)  # noqa: S608  quoted
    return tuple(row[0] for row in rows)
