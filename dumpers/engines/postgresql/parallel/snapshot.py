"""One snapshot of a database that several sessions read by."""

import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from dumpers.engines.postgresql import locks
from dumpers.engines.postgresql.choice import Choice
from dumpers.engines.postgresql.clients import Session, quote_identifier, text_settings
from dumpers.engines.postgresql.errors import is_lock_timeout, is_snapshot_lost
from dumpers.engines.postgresql.names import shown
from dumpers.engines.postgresql.parallel.conversation import Conversation
from dumpers.engines.postgresql.parallel.script import settings_statement
from dumpers.engines.postgresql.parallel.tables import (
    Table,
    by_number,
    lock_statements,
    read_tables,
    tables_query,
)
from dumpers.runtime.errors import KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CHECK_SECONDS = 5.0
_POOLED = (
    "sessions share the server's own, as poolers have it that hand one out for each transaction or "
    "statement: no snapshot can be shared through it; connect to the server itself (the "
    "annotations service, host and port), or leave out parallelism"
)
_ELSEWHERE = (
    "a second session does not know the snapshot of the first one, so it came to another server: "
    "behind a pooler or a balancer of several servers no snapshot can be shared; connect to one "
    "server itself (the annotations service, host and port), or leave out parallelism"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A snapshot that is held: its name for other sessions, and the tables that are read by COPY.

    A table that was dropped before is not among them.
    """

    name: str
    tables: Mapping[int, Table]


@dataclass(kw_only=True)
class Snapshot:
    """The snapshot of the session's database, taken by whoever uses it first.

    A session of its own holds it, and locks every table of the choice, as pg_dump does. `lanes`
    sessions more take it on at once, with the locks of the tables `oids` that they read: who asks
    for a stronger lock later waits for the dump, and nobody of the dump waits behind them. `uses`
    is how many times it is used; the last one lets it go. `encoding` is that of the sessions.
    """

    session: Session
    choice: Choice
    oids: Collection[int]
    lanes: int
    uses: int
    lock_seconds: float
    encoding: str
    quotes_all: bool = False
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
    def lane(self) -> Iterator[Conversation]:
        """One of the sessions that read by the snapshot, for one reader at a time."""
        conversation = self._free.popleft()
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
                self._error = SourceFailedError(
                    f"the session that held the snapshot of {self.session.connection.database!r} "
                    "has ended, so that nothing more can be read of that moment: what ended it? "
                    f"({error})"
                )
                raise self._error from error
            self._checked = time.monotonic()

    def close(self) -> None:
        """End all sessions, and let the snapshot go with their locks."""
        with self._guard:
            self._let_go()

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
        self._holder = self._open.enter_context(Conversation(self.session, interrupt))
        self._refuse_pooled(self._holder, interrupt)
        name = self._begin(self._holder, interrupt)
        with self._explained(interrupt):
            self._holder.ask(f"{lock_statements(self.choice)}\n\\gexec", interrupt)
        asked = self._holder.ask(f"{tables_query(by_number(self.oids))};", interrupt)
        # A name that is no text cannot be told to whoever compares: pg_dump reads that table.
        tables = {
            table.oid: table
            for table in read_tables(asked)
            if shown(table.schema + table.name) == table.schema + table.name
        }
        for _ in range(self.lanes if self.oids else 0):
            self._free.append(self._take_on(name, tables, interrupt))
        return Held(name=name, tables=tables)

    def _refuse_pooled(self, holder: Conversation, interrupt: Interrupt) -> None:
        """Raise SourceRefusedError where another session has the same one of the server."""
        asked = "SELECT pg_catalog.pg_backend_pid()"
        own = holder.ask(f"{asked};", interrupt)
        [[other]] = self.session.ask(asked, interrupt)
        if own == other:
            raise SourceRefusedError(_POOLED)

    def _begin(self, holder: Conversation, interrupt: Interrupt) -> str:
        quoting = {"quote_all_identifiers": "on" if self.quotes_all else "off"}
        statements = [
            settings_statement(row_security=self.choice.row_security, others=quoting),
            # The survey's names without a schema are found along the session's own path.
            "RESET search_path",
            _BEGIN,
            *text_settings(self.choice.role),
            self._lock_timeout(),
            "SELECT pg_catalog.pg_export_snapshot()",
        ]
        return holder.ask("".join(f"{statement};\n" for statement in statements), interrupt)

    def _take_on(
        self, name: str, tables: Mapping[int, Table], interrupt: Interrupt
    ) -> Conversation:
        lane = self._open.enter_context(Conversation(self.session, interrupt))
        locked = ", ".join(f"ONLY {table.quoted}" for table in tables.values())
        role = self.choice.role
        statements = [
            *([f"SET ROLE {quote_identifier(role)}"] if role else []),
            settings_statement(row_security=self.choice.row_security),
            _BEGIN,
            f"SET TRANSACTION SNAPSHOT '{name}'",
            self._lock_timeout(),
            *([f"LOCK TABLE {locked} IN ACCESS SHARE MODE"] if locked else []),
            "SET LOCAL lock_timeout = 0",
        ]
        script = "".join(f"{statement};\n" for statement in statements)
        with self._explained(interrupt):
            lane.ask(script, interrupt, encoding=self.encoding)
        return lane

    def _lock_timeout(self) -> str:
        return f"SET LOCAL lock_timeout = {int(self.lock_seconds * 1000)}"

    def _unknown(self, error: KsnapshotError, interrupt: Interrupt) -> SourceRefusedError:
        """The error for a snapshot that is held, and that another session does not know."""
        self.check(interrupt, at_once=True)
        return SourceRefusedError(f"{_ELSEWHERE} ({error})")

    @contextmanager
    def _explained(self, interrupt: Interrupt) -> Iterator[None]:
        """Name the holders where a lock was waited for in vain, and why a snapshot is not known."""
        try:
            yield
        except SourceFailedError as error:
            if is_snapshot_lost(str(error)):
                raise self._unknown(error, interrupt) from error
            if not is_lock_timeout(str(error)):
                raise
            raise SourceFailedError(
                f"{locks.describe_holders(self.session, interrupt)}: {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class _Watched:
    reader: Reader
    snapshot: Snapshot
    interrupt: Interrupt

    def read(self, size: int = -1, /) -> bytes:
        data = self.reader.read(size)
        self.snapshot.check(self.interrupt, at_once=not data)
        return data
