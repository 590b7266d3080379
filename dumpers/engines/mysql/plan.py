"""The streams of a dump, in the order in which a restore loads them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from dumpers.engines.mysql.options import is_repeatable
from dumpers.engines.mysql.output.reading import DumpTool, dump_command, run_tool
from dumpers.engines.mysql.output.sections import Sections
from dumpers.engines.mysql.output.tool_stream import ToolStream
from dumpers.engines.mysql.parallel.streams import Shared, Split, dealt_tables, split_streams
from dumpers.engines.mysql.survey.database import Survey
from dumpers.engines.mysql.survey.references import Reference, needing
from dumpers.engines.mysql.survey.second_look import SecondLook
from dumpers.engines.protocol import DumpStream
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import Command, ToolReader

_ENDING = ".sql"
# The part of the views that need several databases. No table can be called so: it lies in a folder
# below the tables'.
ACROSS = ("views", "across-databases")
# In the metadata of a database: whether the server takes names that differ in case alone for one.
FOLDS = "folds_names"
_NO_PROGRAMS = ("--skip-triggers", "--skip-routines", "--skip-events")


def plan_streams(
    tool: DumpTool,
    surveys: Sequence[Survey],
    *,
    thorough: Callable[[str, Interrupt], Survey],
    per_table: bool,
    splits: Mapping[str, Split],
    running: ExitStack,
) -> list[DumpStream]:
    """Make the streams of all databases; `splits` are of those that are read by several.

    `thorough` makes the survey of a database of which the tool could not open a table.
    Views that need another of the databases come last, as an object of their own: only then are
    all tables and functions there. `running` ends the tools whose output several streams share.
    """
    across = views_across(surveys)
    streams, shared = list[DumpStream](), Shared(running=running)
    for found in in_order(surveys):
        elsewhere = {view for database, view in across if database == found.database}
        rest = _without(found, elsewhere)
        # Views and programs alone are one object in any case.
        if per_table and not all(table.is_view for table in rest.tables):
            streams += _streams_per_table(tool, rest, running)
        elif split := splits.get(found.database):
            own = [table.name for table in dealt_tables(rest, split)]
            last, begins = _stream_of_others(tool, rest, own), len(streams)
            streams += split_streams(tool, rest, split, last=last, begins=begins, shared=shared)
        else:
            look = SecondLook(found, partial(thorough, found.database))
            streams.append(_stream(tool, rest, look=look, elsewhere=elsewhere))
    if across:
        streams.append(_stream_of_views(tool, surveys, across))
    return streams


def views_across(surveys: Sequence[Survey]) -> frozenset[Reference]:
    """The views that need another database of the dump, and the views that need such views."""
    databases = {found.database for found in surveys}
    references: dict[Reference, Iterable[Reference]] = {
        (found.database, view): needs
        for found in surveys
        for view, needs in found.references.items()
    }
    abroad = {
        view
        for view, needs in references.items()
        if any(schema in databases - {view[0]} for schema, _ in needs)
    }
    known = {view: set(needs) for view, needs in references.items()}
    return frozenset(abroad | set(needing(abroad, known)))


def in_order(surveys: Sequence[Survey]) -> list[Survey]:
    """The databases as they were given, but each behind those whose sequences it draws from."""
    ordered: list[Survey] = []
    left = list(surveys)
    while left:
        waiting = {found.database for found in left}
        # In a circle there is no order, and the first may as well be the first.
        first = next(
            (found for found in left if not found.sequences_of & (waiting - {found.database})),
            left[0],
        )
        ordered.append(first)
        left.remove(first)
    return ordered


def _stream(
    tool: DumpTool,
    found: Survey,
    *,
    look: SecondLook | None = None,
    elsewhere: Iterable[str] = (),
) -> ToolStream:
    """The stream of a whole database, or of some tables and views of it.

    `elsewhere` are views that another object holds.
    """
    heard: list[ToolReader] = []

    def opener(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        by = _without(look.survey(interrupt), elsewhere) if look else found
        opening = by.opening + (by.defaults if by.all_tables else "")
        command = _command(tool, by)
        command = look.watched(command) if look else command
        return run_tool(
            tool, command, [by.database], opening=opening, heard=heard, interrupt=interrupt
        )

    return ToolStream(
        name=found.database,
        ending=_ENDING,
        estimate=found.estimate,
        known_metadata=_metadata(tool, found),
        is_repeatable=is_repeatable(tool.own),
        opener=opener,
        heard=heard,
        look=look,
    )


def _command(tool: DumpTool, found: Survey) -> Command:
    """The command that dumps a whole database, or some tables and views of it."""
    names, left_out = list[str](), list[str]()
    if found.all_tables or any(table.is_view for table in found.tables):
        # mysqldump writes views before the functions that they call if it is told tables by name;
        # if it is told which tables to leave out, it writes them in the order that they load in.
        left_out = _full_names(found, found.left_out)
    else:
        names = [table.name for table in found.tables]
    return dump_command(tool, [found], found.options, names=names, leave_out=left_out)


def _streams_per_table(tool: DumpTool, found: Survey, running: ExitStack) -> list[DumpStream]:
    """The streams of a database's tables, and that of its views and programs, which loads last."""
    # The tools write sequences first, then tables in the order that they are given in.
    tables = sorted(
        (table for table in found.tables if not table.is_view),
        key=lambda table: not table.is_sequence,
    )
    names = [table.name for table in tables]
    kept = [option for option in found.options if option == "--dump-history"]
    options = ("--triggers", *_NO_PROGRAMS[1:], *kept)
    command = dump_command(tool, [found], options, names=names)
    heard: list[ToolReader] = []

    def start(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return run_tool(
            tool, command, [found.database], opening=found.opening, heard=heard, interrupt=interrupt
        )

    sections = Sections(start, tables=tables, tools=running)
    return [
        *(
            ToolStream(
                name=found.database,
                part=(table.name,),
                ending=_ENDING,
                estimate=found.sizes.get(table.name, 0),
                known_metadata=_metadata(tool, found),
                is_repeatable=is_repeatable(tool.own),
                opener=sections.open,
                heard=heard if table is tables[0] else (),
            )
            for table in tables
        ),
        _stream_of_others(tool, found, names),
    ]


def _stream_of_others(tool: DumpTool, found: Survey, names: Iterable[str]) -> ToolStream:
    """The stream of all but these tables and sequences: views, routines and events."""
    return _stream(tool, replace(_without(found, names), all_tables=True))


def _stream_of_views(
    tool: DumpTool, surveys: Sequence[Survey], across: frozenset[Reference]
) -> DumpStream:
    """The stream of views that need each other's databases: it says itself where each belongs."""
    concerned = [
        found for found in surveys if any(database == found.database for database, _ in across)
    ]
    left_out = [
        name
        for found in concerned
        for name in _full_names(
            found,
            [
                *found.left_out,
                *(
                    table.name
                    for table in found.tables
                    if (found.database, table.name) not in across
                ),
            ],
        )
    ]
    command = dump_command(tool, concerned, _NO_PROGRAMS, leave_out=left_out, is_placed=True)
    databases = [found.database for found in concerned]
    heard: list[ToolReader] = []

    def opener(interrupt: Interrupt) -> AbstractContextManager[Reader]:
        return run_tool(tool, command, databases, opening="", heard=heard, interrupt=interrupt)

    return ToolStream(
        name=databases[0],
        part=ACROSS,
        ending=_ENDING,
        estimate=0,
        opener=opener,
        heard=heard,
        is_repeatable=is_repeatable(tool.own),
    )


def _metadata(tool: DumpTool, found: Survey) -> Mapping[str, Any]:
    """What a restore compares its target with, and what its database needs before it loads."""
    server = tool.server
    return {
        "flavour": str(server.flavour),
        "release": ".".join(map(str, server.number)),
        FOLDS: server.folds,
        **({"defaults": found.defaults} if found.all_tables and found.defaults else {}),
    }


def _without(found: Survey, names: Iterable[str]) -> Survey:
    """A survey without these tables or views."""
    gone = frozenset(names)
    return replace(
        found,
        tables=tuple(table for table in found.tables if table.name not in gone),
        sizes={name: size for name, size in found.sizes.items() if name not in gone},
        left_out=(*found.left_out, *sorted(gone)),
    )


def _full_names(found: Survey, names: Sequence[str]) -> list[str]:
    return [f"{found.database}.{name}" for name in names]
