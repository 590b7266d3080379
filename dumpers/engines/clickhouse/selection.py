"""Choosing what is dumped of all servers' catalogs, and telling what a dump of it lacks."""

from collections.abc import Sequence
from dataclasses import replace

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse import filters
from dumpers.engines.clickhouse.catalog import system_tables
from dumpers.engines.clickhouse.catalog.distributed import read_foreign
from dumpers.engines.clickhouse.catalog.notes import gather_notes
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.options import Options
from dumpers.engines.clickhouse.schema import drift
from dumpers.engines.clickhouse.schema.names.references import (
    Existing,
    find_incomplete,
    notes_on_incomplete,
)
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import SourceRefusedError
from dumpers.runtime.interrupt import Interrupt


def select_tables(
    every: Sequence[ServerCatalog], wanted: Options
) -> tuple[Sequence[ServerCatalog], Sequence[Note]]:
    """Reduce the catalogs to the databases and tables that the annotations ask for, with notes.

    Raises SourceRefusedError if no server has something that was asked for, or no table at all.
    """
    tables: dict[tuple[str, str], BackupTable] = {}
    for catalog in every:
        for table in catalog.tables:
            tables.setdefault(table.table.key, table)
    existing = list(dict.fromkeys(name for catalog in every for name in catalog.every_database))
    databases = filters.databases(wanted.table_filter, existing)
    kept, notes = filters.tables(wanted.table_filter, databases, tables.values(), existing)
    filters.check_partitions(wanted.partitions, kept)
    if not kept:
        elsewhere = [
            item.name for catalog in every for item in catalog.databases if item.is_elsewhere
        ]
        raise SourceRefusedError(
            "there is no table to dump: there is none, or this account may not see any"
            + (f"; {abbreviate(elsewhere)} lie in other systems" if elsewhere else "")
        )
    keys = {table.table.key for table in kept}
    holding = {database for database, _ in keys}
    selected = [
        replace(
            catalog,
            databases=tuple(
                item
                for item in catalog.databases
                if item.name in holding or wanted.table_filter.names_database(item.name)
            ),
            tables=tuple(table for table in catalog.tables if table.table.key in keys),
        )
        for catalog in every
    ]
    return [_completed(*pair, existing) for pair in zip(every, selected, strict=True)], notes


def _completed(
    whole: ServerCatalog, catalog: ServerCatalog, databases: Sequence[str]
) -> ServerCatalog:
    """The catalog with what of its tables is incomplete; `whole` has those not selected, too."""
    existing = Existing(
        tables={item.table.key for item in whole.tables},
        looked_into=[item.name for item in whole.databases if not item.is_elsewhere],
        databases=databases,
        elsewhere={item.name for item in catalog.databases if item.is_elsewhere},
    )
    return replace(catalog, incomplete=find_incomplete(catalog.tables, existing))


def _notes_on_unknown_lag(catalog: ServerCatalog) -> tuple[Note, ...]:
    """A note on replicated tables of which the server does not tell how far they are behind."""
    unknown = tuple(
        item.table.full_name
        for item in catalog.tables
        if item.has_data
        and item.store.engine.startswith("Replicated")
        and catalog.path(item) is None
    )
    text = (
        "whether these replicated tables lack rows that other replicas have is not known, as the "
        "server had not loaded them"
    )
    return (Note(code=NoteCode.STANDBY, text=text, objects=unknown),) if unknown else ()


def read_notes(
    every: Sequence[ServerCatalog],
    catalogs: Sequence[ServerCatalog],
    wanted: Options,
    interrupt: Interrupt,
) -> tuple[Note, ...]:
    """What a dump of these catalogs lacks, alters or asks of a restore: one note for each kind.

    `every` are the same catalogs before tables were selected. Unreadable tables that nobody named
    are in none of them, so they are told of here, too.
    """
    held = {}
    for whole, catalog in zip(every, catalogs, strict=True):
        replica = catalog.replica
        chosen = {item.table.key for item in catalog.tables}
        held[replica.label] = [
            *catalog.notes,
            *(
                note
                for item in whole.tables
                if item.table.key in chosen or not item.is_saved
                for note in item.notes
                if wanted.table_filter.has_table(*item.table.key)
            ),
            *read_foreign(replica.server, replica.node.cluster, catalog.tables, interrupt),
            *notes_on_incomplete(catalog.incomplete),
            *_notes_on_unknown_lag(catalog),
        ]
    return gather_notes(held)


def check_partitions(
    catalogs: Sequence[ServerCatalog], wanted: Options, interrupt: Interrupt
) -> None:
    """Raise SourceRefusedError for a partition that no server has: nothing would be dumped."""
    for (database, table), asked in wanted.partitions.items():
        found = {
            id_
            for catalog in catalogs
            for id_ in system_tables.partitions(catalog.replica.server, database, table, interrupt)
        }
        missing = [id_ for id_ in asked if id_ not in found]
        if missing:
            raise SourceRefusedError(
                f"no server has these partitions of {database}.{table} that were asked for: "
                f"{abbreviate(missing)}; it has {abbreviate(sorted(found))}"
            )


def report_drift(catalogs: Sequence[ServerCatalog], wanted: Options) -> Sequence[Note]:
    """Note how the servers' tables differ; SourceRefusedError if the annotation `drift` says so."""
    found = drift.compare({catalog.replica.label: catalog.tables for catalog in catalogs})
    if found and wanted.drift_fails:
        raise SourceRefusedError(
            f"the servers have not the same tables, and the annotation drift says fail: "
            f"{'; '.join(map(str, found))}"
        )
    return found
