"""Finding the values of a primary key at which a table is cut, by the server's own estimates.

No row is read for it but the first and the last: InnoDB estimates how many a range has by where its
ends lie in the index. It counts twice as many as there are, and no more than half of a table, so
only many small ranges can be compared with each other.
"""

# ruff: noqa: S608  quoted

import heapq
from collections.abc import Callable, Sequence

from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.parallel.plan import Cut
from dumpers.runtime.interrupt import Interrupt

_INTEGERS = "('tinyint', 'smallint', 'mediumint', 'int', 'bigint')"
# How finely a table is looked at.
_RANGES, _HALVINGS = 64, 256


def find_cut(
    server: Server, database: str, table: str, parts: Sequence[float], *, interrupt: Interrupt
) -> Cut | None:
    """Where a table is cut, near these parts of its rows; None where it cannot be."""
    column = _key(server, database, table, interrupt=interrupt)
    if not column:
        return None
    key, source = identifier(column), identifier(table)
    ends = server.rows(
        f"MIN({key}), MAX({key})",
        f"FROM {source} HAVING MIN({key}) IS NOT NULL",
        database=database,
        interrupt=interrupt,
    )
    if not ends:
        return None
    [(low, high)] = ends

    def count(first: int, end: int) -> int:
        heads, *found = server.raw(
            f"EXPLAIN FORMAT=TRADITIONAL SELECT COUNT(*) FROM {source} FORCE INDEX (PRIMARY) "
            f"WHERE {key} >= {first} AND {key} < {end}",
            database=database,
            heads=True,
            interrupt=interrupt,
        )
        # A range that the optimizer sees to be empty has no number of rows.
        rows = found[0][heads.index("rows")] if found else ""
        return int(rows) if rows.isdigit() else 0

    bounds = find_bounds(int(low), int(high) + 1, parts, count)
    return Cut(column=column, bounds=bounds) if bounds else None


def find_bounds(
    low: int, end: int, parts: Sequence[float], count: Callable[[int, int], int]
) -> tuple[int, ...]:
    """The values from `low` to before `end` that lie near these parts of all rows; pure.

    `count` estimates how many rows are from one value to before another.
    """
    # The range that seems to hold most is halved, time and again; empty ones are left.
    ranges = [(-count(low, end), low, end)]
    for _ in range(_HALVINGS):
        if len(ranges) == _RANGES or not ranges or ranges[0][2] - ranges[0][1] == 1:
            break
        _, first, last = heapq.heappop(ranges)
        middle = (first + last) // 2
        for half in ((first, middle), (middle, last)):
            if rows := count(*half):
                heapq.heappush(ranges, (-rows, *half))
    total = -sum(weight for weight, _, _ in ranges)
    bounds: set[int] = set()
    before = 0
    wanted = [part * total for part in parts]
    for weight, first, last in sorted(ranges, key=lambda item: item[1]):
        for want in wanted:
            if before <= want < before - weight:
                bounds.add(first + int((last - first) * (want - before) / -weight))
        before -= weight
    return tuple(sorted(bound for bound in bounds if low < bound < end))


def _key(server: Server, database: str, table: str, *, interrupt: Interrupt) -> str:
    """The first column of a table's primary key, where that is an integer."""
    found = server.rows(
        "c.column_name",
        "FROM information_schema.statistics s JOIN information_schema.columns c "
        "ON c.table_schema = s.table_schema AND c.table_name = s.table_name "
        "AND c.column_name = s.column_name "
        f"WHERE s.table_schema = DATABASE() AND s.table_name = {literal(table)} "
        "AND s.index_name = 'PRIMARY' AND s.seq_in_index = 1 "
        f"AND c.data_type IN {_INTEGERS}",
        database=database,
        interrupt=interrupt,
    )
    # With a line end in it, the tool's comment of the condition would be of several lines.
    return found[0][0] if found and "\n" not in found[0][0] else ""
