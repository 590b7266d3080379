"""Dumping MySQL and MariaDB, each with its own mysqldump or mariadb-dump."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import TextOption
from dumpers.contract.jobs import DumpJob
from dumpers.engines.mysql import client, options
from dumpers.engines.mysql import restore as restoring
from dumpers.engines.mysql.client import Flavour, Program, Server
from dumpers.engines.mysql.sections import Sections
from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.mysql.survey import Survey, TableFilter, databases, grants, survey
from dumpers.engines.names import parse_names
from dumpers.engines.protocol import DumpStream, Engine, SourceInfo, StoredDump
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, TABLES
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import Command, ToolReader

# The names of 0.6.0, words apart by blanks.
_TABLES, _EXCLUDED = "MYSQLDUMP_TABLES", "MYSQLDUMP_EXCLUDED_TABLES"

_ENDING = ".sql"
_HEAD = re.compile(
    rb"(?:/\*M?!999999\\- enable the sandbox mode \*/ ?\n)?-- (?:MySQL|MariaDB) dump \d"
)
_END = re.compile(rb"(?:\A|\n)-- Dump completed(?: on [0-9: -]+)?\n\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found(SourceInfo):
    """A source with what the streams are made from."""

    tool: Program
    server: Server
    surveys: tuple[Survey, ...]
    own: Sequence[str]
    per_table: bool


class _MySQL:
    def preflight(self, job: DumpJob, interrupt: Interrupt) -> SourceInfo:
        choice, wanted = _choice(job), _databases(job)
        per_table = job.options.get(PER_TABLE.variable) == "true"
        own = options.parse(
            job.options.get(MYSQLDUMP_OPTIONS.variable, ""),
            per_table=per_table,
            named=bool(choice.tables),
        )
        server = client.connect(job.connection, errors=DUMP_ERRORS, interrupt=interrupt)
        tool, notes = _pick(server, interrupt=interrupt)
        rights = grants(server, interrupt=interrupt)
        names = wanted or databases(server, interrupt=interrupt)
        if not names:
            raise SourceRefusedError("this account sees no database on the server but its own ones")
        surveys = tuple(
            survey(
                server, name, choice=choice.within(name, names), rights=rights, interrupt=interrupt
            )
            for name in names
        )
        for item in surveys:
            where = f"{item.database}: " if len(surveys) > 1 else ""
            notes += [f"{where}{note}" for note in item.notes]
        return _Found(
            server_version=f"{server.flavour} {server.version}",
            tool_version=tool.version,
            estimate=sum(item.estimate for item in surveys),
            notes=tuple(notes),
            tool=tool,
            server=server,
            surveys=surveys,
            own=own,
            per_table=per_table,
        )

    @contextmanager
    def streams(self, source: SourceInfo) -> Iterator[Sequence[DumpStream]]:
        assert isinstance(source, _Found)
        with ExitStack() as tools:
            streams: list[DumpStream] = []
            for item in source.surveys:
                # Views and programs alone are one object in any case.
                if source.per_table and not all(table.is_view for table in item.tables):
                    streams += _streams_per_table(source, item, tools)
                else:
                    streams.append(_stream(source, item))
            yield streams

    def restore(
        self, target: Connection, pieces: Sequence[StoredDump], interrupt: Interrupt
    ) -> tuple[str, ...]:
        return restoring.restore(target, pieces, interrupt=interrupt)

    def inspect(self, target: Connection, interrupt: Interrupt) -> Mapping[str, int]:
        return restoring.inspect(target, interrupt=interrupt)


ENGINE: Engine = _MySQL()


def prove(head: bytes, tail: bytes) -> str | None:
    """Tell what is wrong with a dump, of which first and last bytes are given."""
    if not _HEAD.match(head):
        return "it does not start as the output of mysqldump or mariadb-dump does"
    if not _END.search(tail):
        return "its last line is not `-- Dump completed`"
    return None


def _stream(source: _Found, item: Survey) -> DumpStream:
    """The stream of a whole database, or of some tables and views of it."""
    if item.all_tables or any(table.is_view for table in item.tables):
        # Of tables that it is told by name, mysqldump writes the views before the functions that
        # they call; told what to leave out, it writes them in the order that they load in.
        command = _dump_command(source, item, leave_out=item.left_out)
    else:
        command = _dump_command(source, item, names=[table.name for table in item.tables])

    def open_dump(interrupt: Interrupt) -> ToolReader:
        return ToolReader(command, proof=prove, interrupt=interrupt)

    return DumpStream(name=item.database, ending=_ENDING, estimate=item.estimate, open=open_dump)


def _streams_per_table(source: _Found, item: Survey, tools: ExitStack) -> list[DumpStream]:
    """The streams of a database's tables, and that of its views and programs, which loads last."""
    # The tools write sequences first, then tables in the order that they are given in.
    tables = sorted(
        (table for table in item.tables if not table.is_view),
        key=lambda table: not table.is_sequence,
    )
    names = [table.name for table in tables]
    alone = replace(item, options=("--triggers", "--skip-routines", "--skip-events"))
    command = _dump_command(source, alone, names=names)
    sections = Sections(command, tables=tables, proof=prove, tools=tools)
    others = replace(
        item,
        tables=tuple(table for table in item.tables if table.is_view),
        left_out=(*item.left_out, *names),
        all_tables=True,
    )
    return [
        *(
            DumpStream(
                name=item.database,
                part=(table.name,),
                ending=_ENDING,
                estimate=table.size,
                open=sections.open,
            )
            for table in tables
        ),
        _stream(source, others),
    ]


def _dump_command(
    source: _Found,
    item: Survey,
    *,
    names: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> Command:
    tool, server = source.tool, source.server
    argv = [
        tool.name,
        *client.arguments(tool, server.connection),
        "--single-transaction",
        "--quick",
        "--no-tablespaces",
        "--hex-blob",
        # The longest row that a server can hold; a smaller limit ends the dump there.
        "--max-allowed-packet=1G",
    ]
    if tool.flavour is Flavour.MYSQL:
        # A dump of some databases is no replica: with the whole server's GTIDs in it, it would not
        # load where there are others, nor without the rights of an administrator.
        argv += ["--set-gtid-purged=OFF", "--loose-column-statistics=0"]
        if server.number < (8, 0):
            argv += client.names_in_utf8()
    elif any(table.is_sequence for table in item.tables):
        # With a table locked, MariaDB refuses the sequence that its default comes from.
        argv += ["--skip-add-locks"]
    ignored = [f"--ignore-table={item.database}.{name}" for name in leave_out]
    argv += [*item.options, *ignored, *source.own, "--", item.database, *names]
    return client.command(argv, server.connection, database=item.database, errors=DUMP_ERRORS)


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


def _choice(job: DumpJob) -> TableFilter:
    def names(words: str, option: TextOption) -> tuple[str, ...]:
        text = job.options.get(option.variable, "")
        return (
            *job.options.get(words, "").split(),
            *(parse_names(option.variable, text) if text else ()),
        )

    return TableFilter(tables=names(_TABLES, TABLES), excluded=names(_EXCLUDED, EXCLUDE_TABLES))
