"""One HTTP request in a thread of its own, so that a reader notices a signal while it waits."""

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

import urllib3

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BufferedReader

_BLOCK = 1 << 18
_BLOCKS_AHEAD = 4
# While nobody reads, as when the store is away, a block more is taken every few seconds, to a bound
# for the whole process: a server gives up a client that takes nothing (ClickHouse's
# http_send_timeout is 30 s), and can write on only once a third of its socket's buffer is free.
_HOLD_SECONDS, _NOTICE_SECONDS = 3.0, 0.1
_MOST_HELD_BYTES = 48 << 20
_may_be_held = threading.Semaphore(_MOST_HELD_BYTES // _BLOCK)


class Exchange(BufferedReader):
    """One request in a thread of its own, which hands over the blocks of the answer's body.

    Waiting for a block raises the converted error of the request, or of a silence of `seconds`.
    """

    def __init__(
        self,
        request: Callable[[], urllib3.BaseHTTPResponse],
        interrupt: Interrupt,
        failed: Callable[[Exception], Exception],
        seconds: float | None,
    ) -> None:
        super().__init__()
        self._seconds = seconds
        self._request = request
        self._interrupt = interrupt
        self._failed = failed
        self._ahead: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room = threading.Semaphore(_BLOCKS_AHEAD)
        self._held_lock = threading.Lock()
        self._held = 0
        self._dropped = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self._thread = threading.Thread(target=self._work, name="http", daemon=True)

    def begin(self) -> urllib3.BaseHTTPResponse:
        """Start, and wait for the answer's head."""
        self._thread.start()
        response: urllib3.BaseHTTPResponse = self._next()
        return response

    def next_block(self) -> bytes:
        """The next bytes of the body, b"" at the end as the protocol proves it."""
        block: bytes = self._next()
        return block

    def end(self) -> None:
        """Drop what is left of the answer, so that the thread ends."""
        self._dropped.set()
        while self._give_back_held():
            pass
        if self._response is not None and not self._ended:
            # An answer that has ended meanwhile has no connection any more.
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                self._response.shutdown()

    def _next(self) -> Any:
        try:
            received = self._interrupt.get(self._ahead, seconds=self._seconds)
        except queue.Empty as error:
            silent = OSError(f"no answer within {self._seconds:.0f} s")
            raise self._failed(silent) from error
        if not self._give_back_held():
            self._room.release()
        if isinstance(received, Exception):
            raise self._failed(received) from received
        return received

    def _work(self) -> None:
        try:
            self._response = self._request()
            self._hand_over(self._response)
            self._read_body(self._response)
            self._hand_over(b"")
            self._response.release_conn()
        except Exception as error:  # noqa: BLE001  the reader raises it
            self._hand_over(error)
        finally:
            if self._response is not None and self._dropped.is_set():
                self._response.close()

    def _read_body(self, response: urllib3.BaseHTTPResponse) -> None:
        """Hand over the body, with the small pieces that some servers send joined to blocks."""
        pieces, size = list[bytes](), 0
        try:
            for piece in response.stream(_BLOCK, decode_content=False):
                pieces.append(piece)
                size += len(piece)
                if size >= _BLOCK:
                    self._hand_over(b"".join(pieces))
                    pieces, size = [], 0
        finally:
            # The last bytes before a body broke off may say why.
            if size:
                self._hand_over(b"".join(pieces))

    def _hand_over(self, item: object) -> None:
        waited = 0.0
        while not self._dropped.is_set():
            is_there = self._room.acquire(timeout=_NOTICE_SECONDS)
            waited += _NOTICE_SECONDS
            if is_there or (waited >= _HOLD_SECONDS and self._hold_one_more()):
                self._ahead.put(item)
                return

    def _hold_one_more(self) -> bool:
        """Whether a block may be taken although there is no room for it."""
        with self._held_lock:
            if self._dropped.is_set() or not _may_be_held.acquire(blocking=False):
                return False
            self._held += 1
            return True

    def _give_back_held(self) -> bool:
        with self._held_lock:
            if not self._held:
                return False
            self._held -= 1
        _may_be_held.release()
        return True
