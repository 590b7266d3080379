"""Reading the catalog of each server of a cluster, as far as the account is allowed to see it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dumpers.engines.clickhouse.catalog import server_objects, system_tables
from dumpers.engines.clickhouse.catalog.system_tables import Database, Path
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.schema.tables import BackupTable, treat
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.names import abbreviate
from dumpers.runtime.interrupt import Interrupt

_SERVERS_AT_A_TIME = 8
_HIDDEN = "[HIDDEN]"
_SEES_ALL = re.compile(r"GRANT .*\b(?:ALL|SELECT)\b.* ON \*\.\* TO ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCatalog:
    """Everything that one server holds; `functions` and `access` are statements.

    `notes` name objects that a dump of the server lacks, and why.
    """

    replica: Replica
    databases: tuple[Database, ...]
    tables: tuple[BackupTable, ...]
    paths: Mapping[tuple[str, str], Path]
    functions: tuple[str, ...] = ()
    collections: Mapping[str, Mapping[str, str]]
    access: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def path(self, backup_table: BackupTable) -> Path | None:
        """The table's path in Keeper; None if the table is not replicated."""
        return self.paths.get(backup_table.store.key)


def read_catalogs(replicas: Sequence[Replica], interrupt: Interrupt) -> tuple[ServerCatalog, ...]:
    """Read the catalogs of all these servers, some at a time, in the order given."""
    with ThreadPoolExecutor(_SERVERS_AT_A_TIME, thread_name_prefix="catalog") as pool:
        return tuple(pool.map(lambda replica: _read_catalog(replica, interrupt), replicas))


def _read_catalog(replica: Replica, interrupt: Interrupt) -> ServerCatalog:
    server, notes = replica.server, list[str]()

    def allowed(what: str, ask: Callable[[Server, Interrupt], Sequence[str]]) -> tuple[str, ...]:
        try:
            return tuple(ask(server, interrupt))
        except server.errors.refused as error:
            notes.append(f"{what} are NOT in this dump, as the account may not see them: {error}")
            return ()

    databases = system_tables.databases(server, interrupt)
    elsewhere = {database.name for database in databases if database.is_elsewhere}
    collections = server_objects.collections(server, interrupt)
    hidden = [name for name, values in collections.items() if _HIDDEN in values.values()]
    if hidden:
        notes.append(
            "the server hides the values of named collections: create "
            f"{abbreviate(hidden)} by hand before a restore"
        )
    policies = allowed("row policies", server_objects.policies)
    if policies:
        notes.append(
            "rows that these row policies hide from the account are NOT in this dump: "
            f"{abbreviate(policies)}"
        )
    grants = allowed("grants", server_objects.grants)
    less = any(grant.startswith("REVOKE") for grant in grants)
    if grants and (less or not any(map(_SEES_ALL.match, grants))):
        notes.append(
            "the account may not read everything, as far as its own grants tell, and what it does "
            "not see is NOT in this dump: " + "; ".join(grants)[:500]
        )
    spooled = server_objects.spooled(server, interrupt)
    if spooled:
        notes.append(
            "rows that these Distributed tables have not passed on yet are NOT in this dump: "
            f"{abbreviate(spooled)}"
        )
    functions = allowed("functions in SQL", server_objects.functions)
    access = allowed("accounts, roles and policies", server_objects.access)
    return ServerCatalog(
        replica=replica,
        databases=databases,
        tables=tuple(
            item
            for item in treat(system_tables.tables(server, interrupt))
            if item.table.database not in elsewhere
        ),
        paths=system_tables.paths(server, interrupt),
        functions=functions,
        collections={name: values for name, values in collections.items() if name not in hidden},
        access=access,
        notes=tuple(notes),
    )


def notes(catalogs: Iterable[ServerCatalog]) -> tuple[str, ...]:
    """The notes of all catalogs, each once, with the labels of its servers unless all have it."""
    found: dict[str, list[str]] = {}
    total = 0
    for catalog in catalogs:
        total += 1
        for note in (*catalog.notes, *(note for item in catalog.tables for note in item.notes)):
            found.setdefault(note, []).append(catalog.replica.label)
    return tuple(
        note if len(labels) == total else f"{note} ({', '.join(labels)})"
        for note, labels in found.items()
    )
