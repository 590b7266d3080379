"""A schema as statements that a stock client runs: what comes before the rows, and what after them.

Views come after the rows: a materialized view would compute those anew that it already has.
"""

from collections.abc import Iterable, Sequence

from dumpers.engines.clickhouse import ddl
from dumpers.engines.clickhouse.phases import Phase, phases
from dumpers.engines.clickhouse.survey import Database
from dumpers.engines.clickhouse.tables import Treated

# Databases that every server has already, under whatever engine.
_THERE = frozenset(("default",))


def before(databases: Iterable[Database], tables: Sequence[Treated]) -> str:
    """Databases and tables, in the order in which each finds what it needs."""
    made = [ddl.rewrite(item.create) for item in databases if item.name not in _THERE]
    return _script([*made, *_creates(tables, Phase.TABLES, Phase.DEPENDENT)])


def after(tables: Sequence[Treated]) -> str:
    """What forwards to tables or is computed from them; views may want each other's order changed.

    Servers do not record which view reads which.
    """
    return _script(
        _creates(
            tables,
            Phase.FORWARDING,
            Phase.VIEWS,
            Phase.MATERIALIZED_VIEWS,
            Phase.REFRESHABLE_VIEWS,
        )
    )


def _creates(tables: Sequence[Treated], *wanted: Phase) -> list[str]:
    return [
        ddl.rewrite(item.table.create)
        for phase, found in phases(tables)
        if phase in wanted
        for item in found
    ]


def _script(statements: Iterable[str]) -> str:
    return "".join(f"{statement};\n\n" for statement in statements)
