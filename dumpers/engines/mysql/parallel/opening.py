"""Deciding which databases are dumped by several streams, and how each is dealt out."""

from collections.abc import Mapping, Sequence

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.options import switches
from dumpers.engines.mysql.parallel.plan import (
    Cut,
    Share,
    TableSize,
    deal_out,
    fractions,
    share_size,
)
from dumpers.engines.mysql.parallel.ranges import find_cut
from dumpers.engines.mysql.parallel.stamps import read_columns
from dumpers.engines.mysql.parallel.streams import AT_A_TIME, Split
from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.mysql.survey.database import Survey, grants
from dumpers.engines.mysql.survey.server.standby import is_node, read_variables
from dumpers.engines.parallelism.connection_limits import Limit, check_limits
from dumpers.engines.shared_options import PARALLELISM
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.interrupt import Interrupt

# What makes another dump of some of the streams than of one alone, and whether switched off.
_OF_ONE_STREAM = frozenset(
    (
        *(("where", False), ("no-data", False), ("no-create-info", False)),
        *(("lock-all-tables", False), ("single-transaction", True)),
    )
)
_NO_RIGHT = (
    "read by one stream, though several are asked for: for these databases the account lacks the "
    "right LOCK TABLES, by which all streams get one moment; grant it, or take parallelism off"
)
_CLUSTER = (
    "read by one stream, though several are asked for: a node of Galera takes what others write "
    "whatever is locked, so several streams could not be of one moment; take parallelism off"
)


def check_options(words: Sequence[str], lanes: int, *, per_table: bool) -> None:
    """Raise ConfigurationError where something else is asked for that only one stream can do."""
    told = f"{PARALLELISM.variable} is {lanes}"
    if per_table:
        raise ConfigurationError(
            f"{told}, and one object per table is asked for: leave out one of them, or "
            f"{PER_TABLE.variable}"
        )
    for name, off in switches(words):
        if (name, off) in _OF_ONE_STREAM:
            raise ConfigurationError(
                f"{told}, and {MYSQLDUMP_OPTIONS.variable} holds "
                f"--{'skip-' if off else ''}{name}, by which several streams are no whole dump: "
                f"leave out one of them"
            )


def plan_splits(
    server: Server,
    surveys: Sequence[Survey],
    *,
    lanes: int,
    dealt: Mapping[str, Sequence[Share]],
    interrupt: Interrupt,
) -> tuple[dict[str, Split], list[Note]]:
    """How the databases are dealt out that are read by several streams, and a note on others.

    `dealt` says it for databases that are to be read as a backup was. Raises SourceFailedError and
    SourceRefusedError where the server has too few connections.
    """
    wanted = [found for found in surveys if found.bases]
    if dealt:
        wanted = [found for found in wanted if found.database in dealt]
    if is_node(read_variables(server, interrupt=interrupt)):
        return {}, [_note(_CLUSTER, wanted)] if wanted else []
    rights = grants(server, interrupt=interrupt)
    locked = [found for found in wanted if rights.may("LOCK TABLES", found.database)]
    lacking = [found for found in wanted if found not in locked]
    splits = {found.database: _split(server, found, lanes, dealt, interrupt) for found in locked}
    _check_connections(
        server, [len(split.shares) for split in splits.values()], lanes, interrupt=interrupt
    )
    return splits, [_note(_NO_RIGHT, lacking)] if lacking else []


def _split(
    server: Server,
    found: Survey,
    lanes: int,
    dealt: Mapping[str, Sequence[Share]],
    interrupt: Interrupt,
) -> Split:
    triggered = _triggered(server, found, interrupt=interrupt)
    if known := dealt.get(found.database):
        return Split(shares=tuple(known), triggered=triggered)
    # Before its keys are looked at: whatever is altered since then is noticed.
    columns = read_columns(
        lambda sql: server.raw(sql, database=found.database, interrupt=interrupt)
    )
    shares = _deal(server, found, lanes, interrupt)
    cut = {name for share in shares if share.column for name in share.tables}
    return Split(
        shares=shares,
        triggered=triggered,
        columns={name: columns.get(name, "") for name in cut},
    )


def _deal(server: Server, found: Survey, lanes: int, interrupt: Interrupt) -> tuple[Share, ...]:
    tables = found.bases
    sizes = [TableSize(name=table.name, size=found.sizes.get(table.name, 0)) for table in tables]
    most = share_size(sizes, lanes=lanes)
    # A table without transactions is of no moment but that of its one reading.
    whole = {table.name for table in tables if not table.transactional}
    cuts: dict[str, Cut] = {}
    for table in sizes:
        if table.size <= most or table.name in whole:
            continue
        cut = find_cut(
            server,
            found.database,
            table.name,
            fractions(table.size, most),
            interrupt=interrupt,
        )
        if cut:
            cuts[table.name] = cut
    return deal_out(sizes, cuts, lanes=lanes)


def _triggered(server: Server, found: Survey, *, interrupt: Interrupt) -> tuple[str, ...]:
    rows = server.rows(
        "event_object_table",
        "FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        database=found.database,
        interrupt=interrupt,
    )
    names = {name for (name,) in rows}
    return tuple(table.name for table in found.tables if table.name in names)


def _check_connections(
    server: Server, runs: Sequence[int], lanes: int, *, interrupt: Interrupt
) -> None:
    """Raise SourceFailedError where too few connections are left, SourceRefusedError for good."""
    if not runs:
        return
    # Each snapshot has a session that locks; definitions and programs are read besides, and one
    # session asks.
    wanted = sum(count + 1 for count in sorted(runs)[-AT_A_TIME:]) + 3
    [(most, own)] = server.raw(
        "SELECT @@global.max_connections, @@session.max_user_connections", interrupt=interrupt
    )
    [(_, used)] = server.raw("SHOW GLOBAL STATUS LIKE 'Threads_connected'", interrupt=interrupt)
    [(mine,)] = server.raw(
        "SELECT COUNT(*) FROM information_schema.processlist "
        "WHERE user = SUBSTRING_INDEX(USER(), '@', 1)",
        interrupt=interrupt,
    )
    limits = (
        Limit(whose="server", most=int(most), used=int(used), cure="raise max_connections"),
        Limit(whose="account", most=int(own), used=int(mine), cure="raise max_user_connections"),
    )
    check_limits((limit for limit in limits if limit.most), lanes=lanes, wanted=wanted)


def _note(text: str, surveys: Sequence[Survey]) -> Note:
    return Note(
        code=NoteCode.ONE_STREAM, text=text, objects=tuple(found.database for found in surveys)
    )
