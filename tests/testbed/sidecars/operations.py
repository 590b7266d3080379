"""What a sidecar did and does: rows in the memory of its process, gone when that ends."""

import contextlib
import datetime as dt
import functools
import http.client
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.testbed.sidecars.errors import KNOWN, DiedError, FailedError, text_of
from tests.testbed.sidecars.faults import Life

IN_PROGRESS, SUCCESS, ERROR, CANCEL = "in progress", "success", "error", "cancel"
# So long a cancelled operation is waited for (`cancel_operation_timeout`).
_WAIT = 1800
_POLL = 0.02
_DEATH = 5
_NOTIFIED = {"create", "create_remote", "upload", "download", "restore", "restore_remote"}


def now() -> str:
    """The time as sidecars show it: their own zone's, to the second."""
    return dt.datetime.now().strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ005


@dataclass(slots=True, kw_only=True)
class Row:
    """One operation."""

    number: int
    command: str
    life: Life
    operation_id: str = ""
    status: str = IN_PROGRESS
    start: str = field(default_factory=now)
    finish: str = ""
    error: str = ""
    callbacks: Sequence[str] = ()
    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)

    def shown(self) -> dict[str, str]:
        """Its members that hold something."""
        told = {"command": self.command, "status": self.status, "start": self.start}
        told |= {"finish": self.finish, "error": self.error, "operation_id": self.operation_id}
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True, kw_only=True)
class Operations:
    """Of one process of a sidecar."""

    notify: Callable[[Row], None]
    dead: threading.Event = field(default_factory=threading.Event)
    rows: list[Row] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self, command: str, *, operation_id: str = "", callbacks: Sequence[str] = ()) -> Row:
        with self._lock:
            row = Row(
                number=next(self._numbers),
                command=command,
                life=Life(dead=self.dead),
                operation_id=operation_id,
                callbacks=callbacks if command.split(" ", maxsplit=1)[0] in _NOTIFIED else (),
            )
            self.rows.append(row)
            return row

    def start_alone(
        self, command: str, *, operation_id: str = "", callbacks: Sequence[str] = ()
    ) -> Row | None:
        """None while another operation is running."""
        with self._lock:
            if self.running():
                return None
            return self.start(command, operation_id=operation_id, callbacks=callbacks)

    def unseen(self) -> Row:
        """An operation that leaves no row."""
        return Row(number=0, command="", life=Life(dead=self.dead))

    def running(self) -> list[Row]:
        return [row for row in self.rows if row.status == IN_PROGRESS]

    def stop(self, row: Row, error: str = "") -> None:
        """It ended; a cancelled one stays cancelled."""
        with self._lock:
            row.done.set()
            if row.status == IN_PROGRESS:
                row.status, row.error, row.finish = ERROR if error else SUCCESS, error, now()
        if row.callbacks:
            threading.Thread(target=self.notify, args=(row,), daemon=True).start()

    def run(self, row: Row, work: Callable[[Row], None]) -> str:
        """Does the work to its end; the error, empty where it went well."""
        error = ""
        try:
            work(row)
        except DiedError:
            return "died"
        except KNOWN as failed:
            error = text_of(failed)
        except Exception as failed:
            # A thread's fault must be seen by whoever asks how the operation went.
            error = f"{type(failed).__name__}: {failed}"
            self.stop(row, error)
            raise
        self.stop(row, error)
        return error

    def run_aside(self, row: Row, work: Callable[[Row], None]) -> None:
        self.begin(functools.partial(self.run, row, work))

    def begin(self, work: Callable[[], object]) -> None:
        """Does it aside; `die` waits for it."""
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def die(self) -> None:
        """The process is gone, and with it what it was doing, at the next step of that."""
        self.dead.set()
        for thread in self._threads:
            thread.join(_DEATH)

    def cancel(self, command: str, why: str) -> str:
        """Ends the first running one, or that of this command, and waits for it; FailedError."""
        with self._lock:
            if not self.rows:
                raise FailedError("empty command list")
            found = [row for row in self.running() if command in {"", row.command}]
            if not found:
                raise FailedError(f"command `{command}` not found")
            row = found[0]
            self._cancel(row, why)
        self._wait(row)
        return row.command

    def cancel_all(self, why: str) -> None:
        """Ends what runs; all the rows, those that ended before too, say `cancel` from then on."""
        with self._lock:
            running = self.running()
            for row in self.rows:
                self._cancel(row, why)
        for row in running:
            self._wait(row)

    def _wait(self, row: Row) -> None:
        until = time.monotonic() + _WAIT
        while not row.done.wait(_POLL) and not self.dead.is_set() and time.monotonic() < until:
            pass

    @staticmethod
    def _cancel(row: Row, why: str) -> None:
        row.life.cancelled.set()
        row.status, row.error, row.finish = CANCEL, why, now()

    def listed(self, contains: str = "", last: int = 0) -> list[dict[str, str]]:
        """The rows with this text in command, status or error; the last ones."""
        found = [
            row.shown()
            for row in self.rows
            if any(contains in text for text in (row.command, row.status, row.error))
        ]
        return found[-last:] if last > 0 else found

    def by_id(self, operation_id: str) -> list[dict[str, str]]:
        found = [row.shown() for row in self.rows if row.operation_id == operation_id]
        return found[:1]


def new_id() -> str:
    return f"{uuid.uuid1()}"


def call_back(row: Row, *, more: bool, seconds: float) -> None:
    """Tells every URL once; one that does not answer is passed over."""
    status = row.status if more or row.status != CANCEL else ERROR
    told = {"status": status, "error": row.error, "operation_id": row.operation_id}
    if more:
        took = time.monotonic() - row.began
        told |= {"command": row.command, "duration": f"{took:.9f}s"}
    for url in row.callbacks:
        parts = urlsplit(url)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            headers = {"Content-Type": "application/json"}
            connection.request("POST", target, json.dumps(told), headers)
            connection.getresponse().read()
            connection.close()
