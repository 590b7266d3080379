"""Counting what is in a database: whether it is empty, and its tables' rows."""

from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.mysql import client
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.survey.schema import tables
from dumpers.runtime.errors import RESTORE_ERRORS
from dumpers.runtime.interrupt import Interrupt

# Tables counted by one statement: it travels as an argument, which has a limit.
_COUNTED_AT_ONCE = 100
# Views of information_schema and how their columns for name and schema begin; `tables` has views
# in it.
_HOLDING = {"tables": "table", "routines": "routine", "events": "event"}


def count_rows(target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
    """Count the rows of every table of the target's database, views left out."""
    server = client.connect(target, errors=RESTORE_ERRORS, interrupt=interrupt)
    database = target.database
    names = [
        table.name
        for table in tables(server, database, interrupt=interrupt)
        if not table.is_view and not table.is_sequence
    ]
    counts: dict[str, int] = {}
    for start in range(0, len(names), _COUNTED_AT_ONCE):
        part = names[start : start + _COUNTED_AT_ONCE]
        counted = [
            f"SELECT {number} AS place, COUNT(*) AS total FROM {client.identifier(name)}"  # noqa: S608  quoted
            for number, name in enumerate(part)
        ]
        rows = server.rows(
            "place, total",
            f"FROM ({' UNION ALL '.join(counted)}) AS counted",
            database=database,
            interrupt=interrupt,
        )
        counts |= {f"{database}.{part[int(place)]}": int(total) for place, total in rows}
    return counts


def held_in(
    server: Server, database: str, *, only: Sequence[str] = (), interrupt: Interrupt
) -> str:
    """What a database holds, in words; of tables and views, `only` these. Empty: nothing."""
    held = []
    for kind, column in _HOLDING.items():
        if only and kind != "tables":
            continue
        rows = server.rows(
            f"{column}_name",
            f"FROM information_schema.{kind} WHERE {column}_schema = DATABASE() ORDER BY 2",
            database=database,
            interrupt=interrupt,
        )
        folded = {server.fold(name) for name in only}
        names = [name for (name,) in rows if not only or server.fold(name) in folded]
        if names:
            what = "tables and views" if kind == "tables" else kind
            held.append(f"{len(names)} {what} ({names[0]!r}{' …' if len(names) > 1 else ''})")
    return ", ".join(held)
