"""The objects of a database that is dumped by several streams, in the order of a load."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dumpers.engines.mysql.options import is_repeatable, leaves_out
from dumpers.engines.mysql.output.reading import DumpTool, dump_command, run_tool
from dumpers.engines.mysql.output.tool_stream import ToolStream
from dumpers.engines.mysql.parallel.gates import Gates
from dumpers.engines.mysql.parallel.parts import (
    COUNT,
    PROGRAMS,
    ROWS,
    SECTION,
    TABLES,
    TRIGGERS,
    part_name,
)
from dumpers.engines.mysql.parallel.plan import Share, as_metadata
from dumpers.engines.mysql.parallel.snapshot import Run, Snapshot
from dumpers.engines.mysql.survey.database import Survey
from dumpers.engines.mysql.survey.schema import Table
from dumpers.engines.protocol import DumpStream
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import ToolReader

_NO_PROGRAMS = ("--skip-routines", "--skip-events")
# Behind the user's own, as the last one counts.
_DEFINITIONS = ("--no-data", "--skip-triggers", *_NO_PROGRAMS)
_ROWS_ONLY = ("--no-create-info", "--skip-triggers", *_NO_PROGRAMS)
_TRIGGERS_ONLY = ("--no-create-info", "--triggers", *_NO_PROGRAMS, "--where=FALSE")
_HISTORY = "--dump-history"
# Of how many databases there are snapshots at a time.
AT_A_TIME = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How one database is dealt out, and which of its tables have triggers.

    `columns` are digests of the columns of tables that were cut.
    """

    shares: tuple[Share, ...]
    triggered: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The tables whose rows are dealt out."""
        return frozenset(name for share in self.shares for name in share.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStream(ToolStream):
    """One of the streams of a database; the lowest `begins` is begun first.

    `check` raises where the server says that the dump cannot be whole.
    """

    begins: int
    check: Callable[[], None] | None = None

    def metadata(self) -> Mapping[str, Any]:
        """Return the known metadata, once that still holds; raises SourceFailedError."""
        if self.check:
            self.check()
        return self.known_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all databases of a run share.

    `seats` is how many snapshots there may be at a time; leaving `running` ends all sessions.
    """

    running: ExitStack
    seats: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_A_TIME))


def dealt_tables(found: Survey, split: Split) -> list[Table]:
    """The tables that a database's parts are of, in the order in which the tools write them; pure.

    One that was made while a backup was taken is not: it is in the stream of all others, also where
    that is dumped again.
    """
    names = split.names
    own = [table for table in found.tables if table.is_sequence or table.name in names]
    # The tools write sequences first, then tables in the order that they are given in.
    return sorted(own, key=lambda table: not table.is_sequence)


def triggered_tables(tool: DumpTool, split: Split) -> list[str]:
    """The dealt tables whose triggers are dumped; pure."""
    own = [] if leaves_out(tool.own, "triggers") else split.triggered
    return [name for name in own if name in split.names]


def split_streams(
    tool: DumpTool,
    found: Survey,
    split: Split,
    *,
    last: ToolStream,
    begins: int,
    shared: Shared,
) -> list[DumpStream]:
    """The streams of a database: its tables' definitions, rows, triggers, then all others.

    `last` is the stream of views, routines and events, `begins` that of the first one to begin.
    """
    names = [table.name for table in dealt_tables(found, split)]
    triggered = triggered_tables(tool, split)
    snapshot = _snapshot(tool, found, split, shared.seats)
    shared.running.callback(snapshot.close)
    count = len(split.shares) + 2 + bool(triggered)
    asked: list[Interrupt] = []

    def opened(command: Sequence[str], tables: Sequence[str], *, defaults: str = "") -> ToolStream:
        heard: list[ToolReader] = []
        forced = replace(tool, own=[*tool.own, *command])
        run = dump_command(forced, [found], _history(found), names=tables)

        def opener(interrupt: Interrupt) -> AbstractContextManager[Reader]:
            return run_tool(
                tool,
                run,
                [found.database],
                opening=found.opening + defaults,
                heard=heard,
                interrupt=interrupt,
            )

        return ToolStream(
            name=found.database, ending=last.ending, estimate=0, opener=opener, heard=heard
        )

    # Triggers keep the character set that their database has when they are made.
    defaults = found.defaults if found.all_tables else ""
    definitions = opened(_DEFINITIONS, names, defaults=defaults)

    @contextmanager
    def tables(interrupt: Interrupt) -> Iterator[Reader]:
        # A table that is gone or altered by now is not what the snapshot has.
        with snapshot.used(interrupt):
            asked.append(interrupt)
            with definitions.open(interrupt) as reader:
                yield reader

    def part(stream: ToolStream, section: str, number: int = 0, **changed: Any) -> PartStream:
        return PartStream(
            name=found.database,
            part=(part_name(section, number),),
            ending=last.ending,
            estimate=changed.pop("estimate", stream.estimate),
            known_metadata={**last.known_metadata, SECTION: section, **changed.pop("metadata", {})},
            opener=changed.pop("opener", stream.opener),
            heard=stream.heard,
            look=stream.look,
            is_repeatable=is_repeatable(tool.own),
            **changed,
        )

    ranks = _ranks(split.shares)
    rows: list[PartStream] = []
    for number, share in enumerate(split.shares):
        heard: list[ToolReader] = []
        stream = replace(
            definitions, heard=heard, opener=partial(_open_lane, snapshot, number, heard)
        )
        rows.append(
            part(
                stream,
                ROWS,
                number,
                estimate=share.size,
                metadata=as_metadata(share),
                begins=begins + 1 + ranks[number],
            )
        )
    behind = begins + 1 + len(rows)
    triggers = (
        [part(opened(_TRIGGERS_ONLY, triggered), TRIGGERS, begins=behind)] if triggered else []
    )
    return [
        part(
            definitions,
            TABLES,
            opener=tables,
            metadata={COUNT: count},
            begins=begins,
            check=lambda: snapshot.check_unchanged(asked[-1]),
        ),
        *rows,
        *triggers,
        part(last, PROGRAMS, begins=behind),
    ]


def _open_lane(
    snapshot: Snapshot, number: int, heard: list[ToolReader], interrupt: Interrupt
) -> AbstractContextManager[Reader]:
    return snapshot.lane(number, heard, interrupt)


def _snapshot(tool: DumpTool, found: Survey, split: Split, seats: threading.Semaphore) -> Snapshot:
    gates = Gates(count=len(split.shares))
    runs = []
    for number, share in enumerate(split.shares):
        conditions = [f"({share.condition})"] if share.condition else []
        condition = " AND ".join((*conditions, gates.condition(number)))
        forced = replace(tool, own=[*tool.own, *_ROWS_ONLY, f"--where={condition}"])
        command = dump_command(forced, [found], _history(found), names=share.tables)
        runs.append(Run(command=command, condition=condition))
    return Snapshot(
        tool=tool,
        database=found.database,
        locked=[table.name for table in found.tables if table.transactional],
        planned=split.columns,
        runs=runs,
        gates=gates,
        opening=found.opening,
        # Its definitions are read by it, too.
        uses=len(runs) + 1,
        seats=seats,
    )


def _ranks(shares: Sequence[Share]) -> list[int]:
    """In which order the shares are begun: the largest first, so that the last ones fill gaps."""
    order = sorted(range(len(shares)), key=lambda number: -shares[number].size)
    return [order.index(number) for number in range(len(shares))]


def _history(found: Survey) -> list[str]:
    return [option for option in found.options if option == _HISTORY]
