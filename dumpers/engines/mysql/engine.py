"""Dumping MySQL and MariaDB, each with its own mysqldump or mariadb-dump."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from dumpers.contract.engine_spec import TextOption
from dumpers.contract.jobs import DumpJob
from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql import client, options, programs
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.filters import TableFilter
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.restore import count_rows, load_backup
from dumpers.engines.mysql.schema import databases
from dumpers.engines.mysql.sections import Sections
from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.mysql.survey import Survey, grants, survey
from dumpers.engines.names import parse_names
from dumpers.engines.protocol import Dump, DumpStream, Engine, OpenedDump, SourceInfo
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, TABLES
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.held_tool import HeldToolReader
from dumpers.streams.tool import Command

# The names of 0.6.0, words apart by blanks.
_TABLES, _EXCLUDED = "MYSQLDUMP_TABLES", "MYSQLDUMP_EXCLUDED_TABLES"

_ENDING = ".sql"
_HEAD = re.compile(
    rb"(?:/\*M?!999999\\- enable the sandbox mode \*/ ?\n)?-- (?:MySQL|MariaDB) dump \d"
)
_END = re.compile(rb"(?:\A|\n)-- Dump completed(?: on [0-9: -]+)?\n\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _DumpTool:
    """The dump program, the server that it reads, and the user's `own` options for it."""

    program: Program
    server: Server
    own: Sequence[str]


@contextmanager
def open_dump(job: DumpJob, interrupt: Interrupt) -> Iterator[Dump]:
    """Look at each database; leaving ends the dump tools whose output several streams share."""
    table_filter, wanted = _table_filter(job), _databases(job)
    per_table = job.options.get(PER_TABLE.variable) == "true"
    own = options.parse(
        job.options.get(MYSQLDUMP_OPTIONS.variable, ""),
        per_table=per_table,
        named=bool(table_filter.tables),
    )
    server = client.connect(job.connection, errors=DUMP_ERRORS, interrupt=interrupt)
    program, notes = _pick(server, interrupt=interrupt)
    rights = grants(server, interrupt=interrupt)
    names = wanted or databases(server, interrupt=interrupt)
    if not names:
        raise SourceRefusedError("this account sees no database on the server but its own ones")
    surveys = [
        survey(
            server,
            name,
            table_filter=table_filter.within(name, names),
            rights=rights,
            interrupt=interrupt,
        )
        for name in names
    ]
    for found in surveys:
        where = f"{found.database}: " if len(surveys) > 1 else ""
        notes += [f"{where}{note}" for note in found.notes]
    info = SourceInfo(
        server_version=f"{server.flavour} {server.version}",
        tool_version=program.version,
        estimate=sum(found.estimate for found in surveys),
        notes=tuple(Note(code=NoteCode.NOT_DUMPED, text=text) for text in notes),
    )
    tool = _DumpTool(program=program, server=server, own=own)
    with ExitStack() as running:
        streams: list[DumpStream] = []
        for found in surveys:
            # Views and programs alone are one object in any case.
            if per_table and not all(table.is_view for table in found.tables):
                streams += _streams_per_table(tool, found, running)
            else:
                streams.append(_stream(tool, found))
        yield OpenedDump(info=info, streams=streams)


class _MySQL:
    """Dumps and restores of MySQL and MariaDB."""

    open = staticmethod(open_dump)
    restore = staticmethod(load_backup)
    inspect = staticmethod(count_rows)


ENGINE: Engine = _MySQL()


def prove(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with a dump, judged by its first and last bytes; None if nothing is."""
    if not _HEAD.match(head):
        return "it does not start as the output of mysqldump or mariadb-dump does"
    if not _END.search(tail):
        return "its last line is not `-- Dump completed`"
    return None


def _stream(tool: _DumpTool, found: Survey) -> DumpStream:
    """The stream of a whole database, or of some tables and views of it."""
    if found.all_tables or any(table.is_view for table in found.tables):
        # mysqldump writes views before the functions that they call if it is told tables by name;
        # if it is told which tables to leave out, it writes them in the order that they load in.
        command = _dump_command(tool, found, leave_out=found.left_out)
    else:
        command = _dump_command(tool, found, names=[table.name for table in found.tables])

    def opener(interrupt: Interrupt) -> HeldToolReader:
        return HeldToolReader(command, proof=prove, interrupt=interrupt)

    return SimpleStream(name=found.database, ending=_ENDING, estimate=found.estimate, opener=opener)


def _streams_per_table(tool: _DumpTool, found: Survey, running: ExitStack) -> list[DumpStream]:
    """The streams of a database's tables, and that of its views and programs, which loads last."""
    # The tools write sequences first, then tables in the order that they are given in.
    tables = sorted(
        (table for table in found.tables if not table.is_view),
        key=lambda table: not table.is_sequence,
    )
    names = [table.name for table in tables]
    alone = replace(found, options=("--triggers", "--skip-routines", "--skip-events"))
    command = _dump_command(tool, alone, names=names)
    sections = Sections(command, tables=tables, proof=prove, tools=running)
    others = replace(
        found,
        tables=tuple(table for table in found.tables if table.is_view),
        left_out=(*found.left_out, *names),
        all_tables=True,
    )
    return [
        *(
            SimpleStream(
                name=found.database,
                part=(table.name,),
                ending=_ENDING,
                estimate=table.size,
                opener=sections.open,
            )
            for table in tables
        ),
        _stream(tool, others),
    ]


def _dump_command(
    tool: _DumpTool,
    found: Survey,
    *,
    names: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Command:
    program, server = tool.program, tool.server
    argv = [
        program.name,
        *programs.arguments(program, server.connection),
        "--single-transaction",
        "--quick",
        "--no-tablespaces",
        "--hex-blob",
        # The longest row that a server can hold; a smaller limit ends the dump there.
        "--max-allowed-packet=1G",
    ]
    if program.flavour is Flavour.MYSQL:
        # A dump of some databases is no replica: with the whole server's GTIDs in it, it would not
        # load where there are others, nor without the rights of an administrator.
        argv += ["--set-gtid-purged=OFF", "--loose-column-statistics=0"]
        if server.number < (8, 0):
            argv += programs.names_in_utf8()
    elif any(table.is_sequence for table in found.tables):
        # With a table locked, MariaDB refuses the sequence that its default comes from.
        argv += ["--skip-add-locks"]
    ignored = [f"--ignore-table={found.database}.{name}" for name in leave_out]
    argv += [*found.options, *ignored, *tool.own, "--", found.database, *names]
    return client.command(argv, server.connection, database=found.database, errors=DUMP_ERRORS)


def _pick(server: Server, *, interrupt: Interrupt) -> tuple[Program, list[str]]:
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
    note = (
        f"the server, {server.flavour} {server.version}, is newer than {tool.version}: what only "
        "it knows may be missing; use a newer dumper image"
    )
    return tool, [note]


def _databases(job: DumpJob) -> tuple[str, ...]:
    """List the databases to dump, none meaning all."""
    text = job.options.get(DATABASES.variable, "")
    if not text:
        return (job.connection.database,)
    return () if text.strip() == "*" else parse_names(DATABASES.variable, text)


def _table_filter(job: DumpJob) -> TableFilter:
    def names(words: str, option: TextOption) -> tuple[str, ...]:
        text = job.options.get(option.variable, "")
        return (
            *job.options.get(words, "").split(),
            *(parse_names(option.variable, text) if text else ()),
        )

    return TableFilter(tables=names(_TABLES, TABLES), excluded=names(_EXCLUDED, EXCLUDE_TABLES))
