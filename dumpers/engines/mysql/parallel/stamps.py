"""What tables are at a moment, so that one which was changed since is noticed."""

from collections.abc import Callable, Mapping, Sequence

from dumpers.engines.mysql.client import Server, literal
from dumpers.engines.mysql.programs import Flavour

# Of a statement.
_AT_A_TIME = 250
# With marks at both ends, so that blanks at the edge of an answer are safe.
_COLUMNS = (
    "SELECT 'r', table_name, SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('|', ordinal_position, "
    "HEX(column_name), HEX(column_type), HEX(is_nullable), IFNULL(collation_name, ''), "
    "HEX(extra)), 256), 12), 16, 10) AS UNSIGNED)), 'r' "
    "FROM information_schema.columns WHERE table_schema = DATABASE() GROUP BY table_name"
)
_MADE = (
    "SELECT 'r', table_name, IFNULL(create_time, ''), 'r' FROM information_schema.tables "
    "WHERE table_schema = DATABASE()"
)

# Answers a statement by its rows.
Ask = Callable[[str], Sequence[tuple[str, ...]]]


def read_stamps(server: Server, names: Sequence[str], ask: Ask) -> Mapping[str, tuple[str, ...]]:
    """When each of these tables was made or altered last, and a digest of its columns."""
    columns = read_columns(ask)
    made: dict[str, str] = {}
    for statement in _made(server, names):
        made |= {name: when for _, name, when, _ in ask(statement)}
    return {name: (made.get(name, ""), columns.get(name, "")) for name in names}


def read_columns(ask: Ask) -> Mapping[str, str]:
    """A digest of the columns of each table."""
    return {name: digest for _, name, digest, _ in ask(_COLUMNS)}


def describe_altered(
    database: str, planned: Mapping[str, str], now: Mapping[str, tuple[str, ...]]
) -> str:
    """What is to be said of tables whose columns are not those they were cut by; pure.

    Empty where all are, or are not known. Rows whose key may be NULL by now would be in no piece.
    """
    altered = sorted(name for name, was in planned.items() if was and now[name][1] not in {"", was})
    if not altered:
        return ""
    return (
        f"since this run has decided how {database!r} is dealt out to several streams, somebody "
        f"altered {altered[0]!r}: the next run decides anew"
    )


def describe_changes(
    database: str, before: Mapping[str, tuple[str, ...]], now: Mapping[str, tuple[str, ...]]
) -> str:
    """What is to be said of tables that are not what they were; empty where all are. Pure."""
    changed = sorted(name for name, stamp in before.items() if now[name] != stamp)
    if not changed:
        return ""
    return (
        f"while {database!r} was dumped by several streams, somebody altered, emptied, exchanged "
        f"or dropped {changed[0]!r}{f' and {len(changed) - 1} more' if changed[1:] else ''}: its "
        "rows and its definition may not fit, so this is no backup; keep such changes out of the "
        "hour of the backup, or leave out parallelism"
    )


def _made(server: Server, names: Sequence[str]) -> list[str]:
    if server.flavour is Flavour.MYSQL and server.number >= (8, 0):
        return [_MADE]
    # Others open each table for this: only those that are named, none whose rows lie elsewhere.
    selects = [f"{_MADE} AND table_name = {literal(name)}" for name in names]
    return [
        " UNION ALL ".join(selects[at : at + _AT_A_TIME])
        for at in range(0, len(selects), _AT_A_TIME)
    ]
