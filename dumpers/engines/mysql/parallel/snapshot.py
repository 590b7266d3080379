"""Snapshots of one moment in several runs of the dump tool.

A session of ours locks all tables against writing (`LOCK TABLES … READ`), which waits for open
transactions that have written to them. Under that lock all runs begin their transactions, each with
its own snapshot, and come to their gates; then the lock goes. No write came between them, so all
snapshots show the same rows of these tables.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dumpers.engines.mysql import commands
from dumpers.engines.mysql.client import cells, identifier
from dumpers.engines.mysql.conversation import Conversation
from dumpers.engines.mysql.errors import DEADLOCK, LOCK_WAIT_TIMEOUT, NO_SUCH_TABLE, error_numbers
from dumpers.engines.mysql.locks import Patience, lock_timeout
from dumpers.engines.mysql.output.reading import DumpTool, dressed, prove
from dumpers.engines.mysql.parallel.gates import Gates, WithoutComment
from dumpers.engines.mysql.parallel.lane import Lane
from dumpers.engines.mysql.parallel.stamps import describe_altered, describe_changes, read_stamps
from dumpers.engines.mysql.programs import LOCK_WAIT_SECONDS
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import Command, ToolReader

# Whoever wants to write waits as long: once for the lock, and then for the runs to begin.
_LOCK_SECONDS, _BEGIN_SECONDS = 10, 30.0
_PAUSE_SECONDS, _LOOK_SECONDS = 10.0, 0.05
# A session whose client is frozen, or gone with its machine, keeps its tables locked no longer;
# once they are free it may wait for as long as a run may take.
_LOCKED_SECONDS, _FREE_SECONDS = 60, 2_147_483
_ELSEWHERE = (
    "a run of the dump tool did not wait at its gate, so it came to another server than the "
    "session that locks: behind a balancer of several servers no snapshots can be shared; connect "
    "to one server itself (the annotations service, host and port), or leave out parallelism"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the dump tool: its command, and the condition that it is given."""

    command: Command
    condition: str


@dataclass(kw_only=True)
class Snapshot:
    """The snapshot of a database, taken by whoever uses it first, and read by `runs`.

    `locked` are the names of the tables to lock, `planned` has what the columns of cut ones were.
    `uses` is how many times it is used, the last of which lets it go; `seats` bounds how many are.
    """

    tool: DumpTool
    database: str
    locked: Sequence[str]
    planned: Mapping[str, str]
    runs: Sequence[Run]
    gates: Gates
    opening: str
    uses: int
    seats: threading.Semaphore
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _open: ExitStack = field(default_factory=ExitStack)
    _holder: Conversation | None = None
    _lanes: list[Lane] = field(default_factory=list)
    _stamps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _error: KsnapshotError | None = None
    _is_taken: bool = False

    @contextmanager
    def used(self, interrupt: Interrupt) -> Iterator[None]:
        """Use the snapshot, which is taken now at the latest.

        Raises SourceFailedError, where a lock was waited for in vain with those who may hold it,
        SourceRefusedError, InterruptedRunError.
        """
        with self._guard:
            self._take(interrupt)
        yield
        with self._guard:
            self.uses -= 1
            if not self.uses:
                self.close()

    @contextmanager
    def lane(self, number: int, heard: list[ToolReader], interrupt: Interrupt) -> Iterator[Reader]:
        """The output of one run, whose gate is opened; raises what `used` raises."""
        with self.used(interrupt):
            lane = self._lanes[number]
            heard.append(lane)
            with Patience(self.tool.server, [self.database], interrupt=interrupt) as patience:
                lane.follow(patience.interrupt)
                self._let_on(number)
                reader = dressed(self.tool, patience.watched(lane), opening=self.opening)
                yield WithoutComment(reader, self.runs[number].condition)

    def check_unchanged(self, interrupt: Interrupt) -> None:
        """Raise SourceFailedError where a table is not what it was when the snapshot was taken."""
        server = self.tool.server
        now = read_stamps(
            server,
            self.locked,
            lambda sql: server.raw(sql, database=self.database, interrupt=interrupt),
        )
        if changed := describe_changes(self.database, self._stamps, now):
            raise SourceFailedError(changed)

    def close(self) -> None:
        """End all runs, and the session that holds the gates."""
        with self._guard:
            self._holder = None
            self._open.close()

    def _take(self, interrupt: Interrupt) -> None:
        if self._error:
            raise type(self._error)(str(self._error))
        if self._is_taken:
            return
        try:
            interrupt.wait(self._sit_down)
            self._open.callback(self.seats.release)
            self._holder = self._hold(interrupt)
            self._begin(self._holder, interrupt)
        except KsnapshotError as error:
            self._error = error
            # Nobody waits for a lock of a run that has failed.
            self.close()
            raise
        self._is_taken = True

    def _sit_down(self, timeout: float) -> None:
        if not self.seats.acquire(timeout=timeout):
            raise TimeoutError

    def _hold(self, interrupt: Interrupt) -> Conversation:
        """A session that has closed the gates and locked the tables."""
        ends = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            with ExitStack() as attempt:
                holder = attempt.enter_context(
                    Conversation(self._session, database=self.database, interrupt=interrupt)
                )
                try:
                    self._lock(holder)
                except SourceRefusedError as error:
                    if NO_SUCH_TABLE not in error_numbers(str(error)):
                        raise
                    # It was there when the run began: the next one does not ask for it.
                    raise SourceFailedError(str(error)) from error
                except SourceFailedError as error:
                    if not error_numbers(str(error)) & {LOCK_WAIT_TIMEOUT, DEADLOCK}:
                        raise
                    if time.monotonic() > ends:
                        raise lock_timeout(
                            self.tool.server, self.database, str(error), interrupt=interrupt
                        ) from error
                else:
                    self._open.enter_context(attempt.pop_all())
                    return holder
            interrupt.sleep(_PAUSE_SECONDS)

    def _session(self, database: str) -> Command:
        server = self.tool.server
        return commands.conversation(
            server.client,
            server.connection,
            database=database,
            logged_in=True,
            errors=DUMP_ERRORS,
        )

    def _lock(self, holder: Conversation) -> None:
        holder.ask(
            f"SET SESSION lock_wait_timeout = {_LOCK_SECONDS}, wait_timeout = {_LOCKED_SECONDS}"
        )
        for statement in self.gates.close():
            if holder.ask(statement)[1:] != ["1"]:
                raise SourceFailedError("the server did not give a lock by a name of our own")
        if self.locked:
            tables = ", ".join(f"{identifier(name)} READ" for name in self.locked)
            holder.ask(f"LOCK TABLES {tables}")

    def _begin(self, holder: Conversation, interrupt: Interrupt) -> None:
        """Start all runs, wait until each has its snapshot, and let the tables go."""
        for run in self.runs:
            lane = Lane(run.command, proof=prove, interrupt=interrupt)
            self._lanes.append(self._open.enter_context(lane))
        self._stamps = read_stamps(
            self.tool.server, self.locked, lambda sql: cells(holder.ask(sql)[1:])
        )
        if altered := describe_altered(self.database, self.planned, self._stamps):
            raise SourceFailedError(altered)
        ends = time.monotonic() + _BEGIN_SECONDS
        left = set(range(len(self.runs)))
        while left := {
            number
            for number in left - self._at_gates(holder)
            if not self._lanes[number].has_begun()
        }:
            if time.monotonic() > ends:
                raise SourceFailedError(
                    f"{len(left)} of {len(self.runs)} runs of {self.tool.program.name} have not "
                    f"begun within {_BEGIN_SECONDS:.0f} s, and nobody may write for longer: choose "
                    f"a lower parallelism, or give the job more CPU"
                )
            interrupt.sleep(_LOOK_SECONDS)
        # The same session, else its client has ended: then this raises.
        if holder.ask(self.gates.is_closed(0))[1:] != ["1"]:
            raise SourceFailedError("the session that locked the tables has ended: what ended it?")
        holder.ask("UNLOCK TABLES")
        holder.ask(f"SET SESSION wait_timeout = {_FREE_SECONDS}")

    def _at_gates(self, holder: Conversation) -> set[int]:
        return {
            number
            for line in holder.ask(self.gates.waiting())[1:]
            for number in self.gates.numbers_in(line)
        }

    def _let_on(self, number: int) -> None:
        """Open a gate. Where the session that holds them is gone, all are open."""
        with self._guard:
            if self._lanes[number].has_rows() and self._holds(number):
                raise SourceRefusedError(_ELSEWHERE)
            if self._holder is not None:
                try:
                    self._holder.ask(self.gates.open(number))
                except SourceFailedError:
                    self._holder = None

    def _holds(self, number: int) -> bool:
        """Whether the gate is still closed by the session that holds them."""
        try:
            return self._holder is not None and self._holder.ask(self.gates.is_closed(number))[
                1:
            ] == ["1"]
        except SourceFailedError:
            self._holder = None
            return False
