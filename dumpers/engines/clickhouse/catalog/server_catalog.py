"""Reading the catalog of each server of a cluster, as far as the account is allowed to see it."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog import system_tables
from dumpers.engines.clickhouse.catalog.databases import (
    Database,
    notes_on_databases,
    read_databases,
    read_statements,
)
from dumpers.engines.clickhouse.catalog.left_out import read_left_out
from dumpers.engines.clickhouse.catalog.rights import check_rights, read_grants
from dumpers.engines.clickhouse.catalog.row_policies import read_hidden_rows
from dumpers.engines.clickhouse.catalog.server_objects import ServerObjects, read_server_objects
from dumpers.engines.clickhouse.catalog.system_tables import Path, Scope
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.table_notes import note
from dumpers.engines.clickhouse.schema.tables import BackupTable, treat
from dumpers.engines.clickhouse.server.settings import read_known_settings
from dumpers.runtime.interrupt import Interrupt

_SERVERS_AT_A_TIME = 8
_NO_STATEMENT = (
    "these tables are not in this dump, as the server does not tell how they are created: they "
    "were dropped meanwhile, their metadata is damaged, or this account lacks SHOW COLUMNS"
)
_LOADS_COMPUTED = "insert_allow_materialized_columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCatalog:
    """What one server holds of the databases that were asked for.

    `every_database` are the names of all; only those of `databases` with tables of their own were
    looked into. `notes` tell what a dump of the server lacks besides what its tables tell,
    `incomplete` which of its tables need what is not in the dump, and why.
    """

    replica: Replica
    every_database: tuple[str, ...] = ()
    databases: tuple[Database, ...]
    tables: tuple[BackupTable, ...]
    paths: Mapping[tuple[str, str], Path]
    objects: ServerObjects
    notes: tuple[Note, ...] = ()
    incomplete: Mapping[tuple[str, str], NoteCode] = field(default_factory=dict)

    def path(self, backup_table: BackupTable) -> Path | None:
        """The table's path in Keeper; None if the table is not replicated."""
        return self.paths.get(backup_table.store.key)


def read_catalogs(
    replicas: Sequence[Replica], table_filter: TableFilter, interrupt: Interrupt
) -> tuple[ServerCatalog, ...]:
    """Read the catalogs of all these servers, some at a time, in the order given.

    What was not asked for, or lies in another system, is not looked into.
    """
    with ThreadPoolExecutor(_SERVERS_AT_A_TIME, thread_name_prefix="catalog") as pool:
        return tuple(
            pool.map(lambda replica: _read_catalog(replica, table_filter, interrupt), replicas)
        )


def leave_without_statement(tables: Iterable[BackupTable]) -> tuple[BackupTable, ...]:
    """Leave out the tables of which the server does not tell how they are created, with notes."""
    return tuple(
        replace(
            item,
            kind=TableTreatment.SKIPPED,
            notes=(note(NoteCode.UNREADABLE, _NO_STATEMENT, item.table.full_name),),
        )
        if item.is_saved and not item.table.create
        else item
        for item in tables
    )


def _read_catalog(
    replica: Replica, table_filter: TableFilter, interrupt: Interrupt
) -> ServerCatalog:
    server = replica.server
    known = read_known_settings(server, interrupt)
    every = read_databases(server, interrupt, known)
    chosen = [item for item in every if table_filter.has_database(item.name)]
    databases = read_statements(server, chosen, interrupt)
    scope = Scope(
        databases=tuple(item.name for item in databases if not item.is_elsewhere),
        there=system_tables.read_system_columns(server, interrupt),
        loads_computed=_LOADS_COMPUTED in known,
    )
    treated = leave_without_statement(treat(system_tables.tables(server, scope, interrupt)))
    grants = read_grants(server, scope, interrupt)
    tables, unread = check_rights(
        server, scope, treated, interrupt, table_filter=table_filter, grants=grants
    )
    asked = [item for item in tables if table_filter.has_table(*item.table.key)]
    named = [item for item in databases if table_filter.names_database(item.name)]
    objects = read_server_objects(
        server,
        scope,
        [item.table.create for item in asked],
        interrupt,
        grants=grants,
        everything=table_filter.is_everything,
    )
    return ServerCatalog(
        replica=replica,
        every_database=tuple(item.name for item in every),
        databases=databases,
        tables=tables,
        paths=system_tables.paths(server, scope.databases, interrupt),
        objects=objects,
        notes=(
            *notes_on_databases(named),
            *unread,
            *read_hidden_rows(server, scope, asked, interrupt),
            *read_left_out(server, scope, table_filter, interrupt),
            *objects.notes,
        ),
    )
