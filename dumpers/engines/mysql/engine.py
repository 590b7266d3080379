"""Dumping MySQL and MariaDB, each with its own mysqldump or mariadb-dump."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from dumpers.contract.connection import Connection, DumpSource
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.drilling.protocol import Comparison, DrilledObject
from dumpers.engines.mysql import client, options
from dumpers.engines.mysql.choice import chosen_databases, chosen_tables
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.drill.checks import open_checks
from dumpers.engines.mysql.drill.compare import compare
from dumpers.engines.mysql.drill.prepare import prepare_drill
from dumpers.engines.mysql.options import character_set, has_option
from dumpers.engines.mysql.output.reading import DumpTool
from dumpers.engines.mysql.parallel.opening import check_options, plan_splits
from dumpers.engines.mysql.parallel.plan import Share
from dumpers.engines.mysql.parallel.streams import Split
from dumpers.engines.mysql.plan import plan_streams
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.restore.counts import count_rows
from dumpers.engines.mysql.restore.plan import plan_restore
from dumpers.engines.mysql.restore.run import restore_backup
from dumpers.engines.mysql.restore.swap import find_left, forget_restored, undo_swap
from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.mysql.survey.database import Scope, Survey, grants, survey
from dumpers.engines.mysql.survey.filters import TableFilter
from dumpers.engines.mysql.survey.notes import hidden_databases, merged
from dumpers.engines.mysql.survey.schema import databases
from dumpers.engines.mysql.survey.server.innodb import ask_innodb
from dumpers.engines.mysql.survey.server.prepared import prepared_notes
from dumpers.engines.mysql.survey.server.standby import standby_notes
from dumpers.engines.protocol import Dump, Engine, SourceInfo
from dumpers.engines.shared_options import PARALLELISM
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# The first MariaDB that can take the history of rows in.
_HISTORIES = (10, 11)


def open_dump(job: DumpSource, interrupt: Interrupt) -> AbstractContextManager[Dump]:
    """Open a dump as the job's options have it; see `open_dealt`."""
    return open_dealt(job, interrupt, dealt={})


@contextmanager
def open_dealt(
    job: DumpSource, interrupt: Interrupt, *, dealt: Mapping[str, Sequence[Share]]
) -> Iterator[Dump]:
    """Look at each database; leaving ends the dump tools whose output several streams share.

    `dealt` says how databases are read by several streams, instead of the job's options.
    """
    table_filter, wanted = chosen_tables(job), chosen_databases(job)
    per_table = job.options.get(PER_TABLE.variable) == "true"
    lanes = int(job.options.get(PARALLELISM.variable, "1"))
    is_split = lanes > 1 or bool(dealt)
    own = options.parse(
        job.options.get(MYSQLDUMP_OPTIONS.variable, ""),
        per_table=per_table or is_split,
        named=bool(table_filter.tables),
    )
    if is_split:
        check_options(own, lanes, per_table=per_table)
    with ExitStack() as kept:
        server = client.connect(
            job.connection,
            errors=DUMP_ERRORS,
            interrupt=interrupt,
            # An account may have no right but on this one.
            database=wanted[0] if len(wanted) == 1 else "",
            kept=kept,
        )
        program, notes = _pick(server, interrupt=interrupt)
        notes += standby_notes(server, interrupt=interrupt)
        notes += prepared_notes(server, interrupt=interrupt)
        tool = DumpTool(program=program, server=server, own=own)
        surveys, said, thorough = _survey_all(
            tool, wanted, table_filter, per_table=per_table or is_split, interrupt=interrupt
        )
        splits: Mapping[str, Split] = {}
        if is_split:
            splits, unsplit = plan_splits(
                server, surveys, lanes=lanes, dealt=dealt, interrupt=interrupt
            )
            notes += unsplit
    notes += said
    for found in surveys:
        notes += found.notes
    if characters := character_set(own):
        notes.append(
            Note(
                code=NoteCode.ALTERED,
                text=f"{MYSQLDUMP_OPTIONS.variable} has the dump written in {characters}: "
                "characters that this set lacks are question marks in it",
            )
        )
    info = SourceInfo(
        server_version=f"{server.flavour} {server.version}",
        tool_version=program.version,
        estimate=sum(found.estimate for found in surveys),
        notes=merged(notes),
        parallel=lanes,
    )
    with ExitStack() as running:
        streams = plan_streams(
            tool,
            surveys,
            thorough=thorough,
            per_table=per_table,
            splits=splits,
            running=running,
        )
        yield Dump(info=info, streams=streams)


class _MySQL:
    """Dumps and restores of MySQL and MariaDB."""

    open = staticmethod(open_dump)
    plan_restore = staticmethod(plan_restore)
    restore = staticmethod(restore_backup)
    undo = staticmethod(undo_swap)
    forget = staticmethod(forget_restored)
    find_left = staticmethod(find_left)
    inspect = staticmethod(count_rows)
    prepare_drill = staticmethod(prepare_drill)
    open_checks = staticmethod(open_checks)

    def compare(
        self,
        server: Connection,
        objects: Sequence[DrilledObject],
        options: Mapping[str, str],
        interrupt: Interrupt,
    ) -> Comparison:
        """See DrilledEngine."""
        return compare(open_dealt, server, objects, options, interrupt)


ENGINE: Engine = _MySQL()


def _survey_all(
    tool: DumpTool,
    wanted: tuple[str, ...],
    table_filter: TableFilter,
    *,
    per_table: bool,
    interrupt: Interrupt,
) -> tuple[list[Survey], list[Note], Callable[[str, Interrupt], Survey]]:
    """Look at the databases that were asked for, or at all.

    Also returns what looks at one of them again, with every table opened. Raises
    SourceRefusedError if a database cannot be read that was asked for by its name, or if none can.
    What nobody named is left out with a note.
    """
    server = tool.server
    present = databases(server, interrupt=interrupt)
    names = wanted or present
    if not names:
        raise SourceRefusedError("this account sees no database on the server but its own ones")
    newest = min(server.number, tool.program.number)
    rights = grants(server, interrupt=interrupt)
    innodb = ask_innodb(server, rights, interrupt=interrupt)
    # The objects of a dump with one per table cannot change once it has begun.
    opened = replace(innodb, sizes={})
    scope = Scope(
        rights=rights,
        innodb=opened if per_table else innodb,
        databases=names,
        others=frozenset(present) - frozenset(names),
        histories=newest >= _HISTORIES and not has_option(tool.own, "as-of"),
    )
    surveys: list[Survey] = []
    unread: dict[str, str] = {}
    for name in names:
        within = table_filter.within(name, names)
        try:
            found = survey(server, name, table_filter=within, scope=scope, interrupt=interrupt)
        except SourceRefusedError as error:
            if wanted or within.tables:
                raise
            unread[name] = str(error)
            continue
        # A folder of the server's data with a name that no database has, such as lost+found.
        if not wanted and name.startswith("#mysql50#") and not found.tables:
            unread[name] = "its folder holds nothing that the server can read"
            continue
        surveys.append(found)
    if not surveys:
        raise SourceRefusedError(
            f"none of the server's databases can be read: {'; '.join(unread.values())}"
        )

    def thorough(name: str, interrupt: Interrupt) -> Survey:
        within = table_filter.within(name, names)
        again = replace(scope, innodb=opened)
        return survey(server, name, table_filter=within, scope=again, interrupt=interrupt)

    notes = [*_unread_notes(unread), *([] if wanted else hidden_databases(rights))]
    return surveys, notes, thorough


def _unread_notes(unread: dict[str, str]) -> list[Note]:
    if not unread:
        return []
    text = (
        "these databases, or folders that the server takes for databases, could not be read and "
        f"are NOT in this dump (the first: {next(iter(unread.values()))})"
    )
    return [Note(code=NoteCode.UNREADABLE, text=text, objects=tuple(unread))]


def _pick(server: Server, *, interrupt: Interrupt) -> tuple[Program, list[Note]]:
    """Choose the dump tool of the server's own flavour, never the other's.

    mariadb-dump writes values for MySQL's generated columns, and such a dump does not load;
    mysqldump knows neither MariaDB's sequences nor its system versioning.
    """
    tools = client.programs(("mariadb-dump", "mysqldump"), errors=DUMP_ERRORS, interrupt=interrupt)
    tool = tools.get(server.flavour)
    if tool is None:
        present = " and ".join(other.version for other in tools.values()) or "none"
        wanted = "mariadb-dump" if server.flavour is Flavour.MARIADB else "MySQL's own mysqldump"
        raise SourceRefusedError(
            f"the server is {server.flavour} {server.version}, which only {wanted} dumps whole, "
            f"and this image has {present}: use a dumper image with {wanted}"
        )
    if tool.number >= server.number:
        return tool, []
    note = Note(
        code=NoteCode.NOT_DUMPED,
        text=f"the server, {server.flavour} {server.version}, is newer than {tool.version}: what "
        "only it knows may be missing; use a newer dumper image",
    )
    return tool, [note]
