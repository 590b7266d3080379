"""In which order a restore creates tables."""

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from graphlib import CycleError, TopologicalSorter

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import tokens
from dumpers.engines.clickhouse.schema.tables import BackupTable

_FORWARDING = frozenset(
    ("Buffer", "Merge", "Distributed", "Alias", "Loop", "Remote", "RemoteSecure")
)


class Phase(IntEnum):
    """When a table is created.

    The rows of all tables are loaded between DEPENDENT and FORWARDING, those of a view with data
    right behind its creation: what a view is to compute would otherwise be computed again.
    """

    TABLES = 1
    DEPENDENT = 2
    FORWARDING = 3
    VIEWS = 4
    MATERIALIZED_VIEWS = 5
    REFRESHABLE_VIEWS = 6


def phase(item: BackupTable) -> Phase:
    """When this table is created."""
    table = item.table
    if table.engine == "MaterializedView":
        create = ddl.parse(table.create)
        if create is not None and create.is_refreshable:
            return Phase.REFRESHABLE_VIEWS
        return Phase.MATERIALIZED_VIEWS
    if table.engine in {"View", "LiveView", "WindowView"}:
        return Phase.VIEWS
    if table.engine in _FORWARDING:
        return Phase.FORWARDING
    return Phase.DEPENDENT if table.engine == "Dictionary" or table.needs else Phase.TABLES


def phases(items: Iterable[BackupTable]) -> tuple[tuple[Phase, tuple[BackupTable, ...]], ...]:
    """The objects of a schema in the order of creation, each behind the objects that it needs.

    Servers record no dependencies of views, and old ones none at all: what a statement mentions is
    taken for what it needs. Where that goes in circles, what fails for want of another is to be
    tried again while others succeed.
    """
    saved = [item for item in items if item.is_saved]
    return tuple(
        (each, _ordered([item for item in saved if phase(item) is each])) for each in Phase
    )


def _ordered(items: list[BackupTable]) -> tuple[BackupTable, ...]:
    by_name = {item.table.key: item for item in sorted(items, key=lambda item: item.table.key)}
    known = {name: sorted(item.table.needs & by_name.keys()) for name, item in by_name.items()}
    mentioned = {
        name: sorted({*known[name], *_mentioned(item, by_name)} - {name})
        for name, item in by_name.items()
    }
    while True:
        try:
            return tuple(by_name[name] for name in TopologicalSorter(mentioned).static_order())
        except CycleError as error:
            # Of what goes in a circle, only that is believed which the server itself recorded.
            circle = set(error.args[1])
            if not any(set(mentioned[name]) - set(known[name]) for name in circle):
                return tuple(by_name.values())
            mentioned |= {
                name: [
                    need for need in mentioned[name] if need not in circle or need in known[name]
                ]
                for name in circle
            }


def _mentioned(
    item: BackupTable, names: Mapping[tuple[str, str], BackupTable]
) -> Iterator[tuple[str, str]]:
    """Those of these tables whose names stand in its statement."""
    table = item.table
    # Plain tables mention nothing but their own columns, and there may be very many of them.
    if phase(item) is Phase.TABLES:
        return
    words = {token.value for token in tokens(table.create)}
    for database, name in names:
        if f"{database}.{name}" in words or (
            name in words and (database in words or database == table.database)
        ):
            yield database, name
