"""One snapshot of a database that several sessions read by."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dumpers.engines.postgresql.errors import is_snapshot_lost
from dumpers.engines.postgresql.parallel.conversation import Conversation
from dumpers.engines.postgresql.parallel.holding import Held, Wanted, hold, holders_named, take_on
from dumpers.engines.postgresql.parallel.seats import Seats
from dumpers.runtime.errors import KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

_CHECK_SECONDS = 5.0
_ELSEWHERE = (
    "a second session does not know the snapshot of the first one, so it came to another server: "
    "behind a pooler or a balancer of several servers no snapshot can be shared; connect to one "
    "server itself (the annotations service, host and port), or leave out parallelism"
)


@dataclass(kw_only=True)
class Snapshot:
    """The snapshot of the wanted session's database, taken by whoever uses it first.

    A session of its own holds it, and locks every table of the choice, as pg_dump does. `lanes`
    sessions more take it on at once, with the locks of the tables that they read: who asks for a
    stronger lock later waits for the dump, and none of them waits behind. All of them have seats.
    `uses` is how many times it is used; the last one lets it go.
    """

    wanted: Wanted
    lanes: int
    uses: int
    seats: Seats
    # Of whoever takes the snapshot, and finds that it is lost.
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _open: ExitStack = field(default_factory=ExitStack)
    _holder: Conversation | None = None
    _held: Held | None = None
    _free: "deque[Conversation]" = field(default_factory=deque)
    _checked: float = 0.0
    _error: KsnapshotError | None = None

    @contextmanager
    def used(self, interrupt: Interrupt) -> Iterator[Held]:
        """Use the snapshot, which holds until this is left; errors tell what became of it.

        Raises SourceFailedError, SourceRefusedError where sessions cannot share a snapshot, and
        InterruptedRunError.
        """
        try:
            with self._guard:
                held = self._taken(interrupt)
            yield held
            self.check(interrupt, at_once=True)
        except SourceFailedError as error:
            if not is_snapshot_lost(str(error)):
                raise
            raise self._unknown(error, interrupt) from error
        with self._guard:
            self.uses -= 1
            if not self.uses:
                # Else the server would write of sessions that were lost.
                for conversation in (*self._free, *([self._holder] if self._holder else [])):
                    conversation.finish()
                self._let_go()

    @contextmanager
    def lane(self, interrupt: Interrupt) -> Iterator[Conversation]:
        """One of the sessions that read by the snapshot, for one reader at a time.

        Raises SourceFailedError with the holders of a lock that is waited for in vain.
        """
        conversation = self._free.popleft()
        with holders_named(self.wanted.session, interrupt):
            yield conversation
        self._free.append(conversation)

    def watched(self, reader: Reader, interrupt: Interrupt) -> Reader:
        """A reader that also raises once the snapshot is lost, at its end for sure."""
        return _Watched(reader, self, interrupt)

    def check(self, interrupt: Interrupt, *, at_once: bool = False) -> None:
        """Raise SourceFailedError where the snapshot is lost; asked now and then only."""
        if not at_once and time.monotonic() - self._checked < _CHECK_SECONDS:
            return
        with self._guard:
            if self._error:
                raise type(self._error)(str(self._error))
            if self._holder is None:
                return
            try:
                self._holder.ask("SELECT 1;", interrupt)
            except SourceFailedError as error:
                database = self.wanted.session.connection.database
                self._error = SourceFailedError(
                    f"the session that held the snapshot of {database!r} "
                    "has ended, so that nothing more can be read of that moment: what ended it? "
                    f"({error})"
                )
                raise self._error from error
            self._checked = time.monotonic()

    def close(self) -> None:
        """End all sessions, and let the snapshot go with their locks."""
        with self._guard:
            self._let_go()

    @property
    def sessions(self) -> int:
        """How many there are at a time."""
        return 1 + self.lanes

    def _let_go(self) -> None:
        self._holder = None
        self._free.clear()
        self._open.close()

    def _taken(self, interrupt: Interrupt) -> Held:
        if self._error:
            raise type(self._error)(str(self._error))
        if self._held is None:
            try:
                self._held = self._take(interrupt)
            except KsnapshotError as error:
                self._error = error
                raise
            self._checked = time.monotonic()
        return self._held

    def _take(self, interrupt: Interrupt) -> Held:
        self.seats.take(self.sessions, interrupt)
        self._open.callback(self.seats.give_back, self.sessions)
        self._holder, held = hold(self.wanted, self._open, interrupt)
        try:
            for _ in range(self.lanes):
                self._free.append(take_on(self.wanted, held, self._open, interrupt))
        except SourceFailedError as error:
            if not is_snapshot_lost(str(error)):
                raise
            raise self._unknown(error, interrupt) from error
        return held

    def _unknown(self, error: KsnapshotError, interrupt: Interrupt) -> SourceRefusedError:
        """The error for a snapshot that is held, and that another session does not know."""
        self.check(interrupt, at_once=True)
        return SourceRefusedError(f"{_ELSEWHERE} ({error})")


@dataclass(frozen=True, slots=True)
class _Watched:
    reader: Reader
    snapshot: Snapshot
    interrupt: Interrupt

    def read(self, size: int = -1, /) -> bytes:
        data = self.reader.read(size)
        self.snapshot.check(self.interrupt, at_once=not data)
        return data
