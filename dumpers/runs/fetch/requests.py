"""The requests of whoever fetches a backup through the cluster, and their answers."""

import hmac
import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from dumpers.contract.fetch.offer import DONE
from dumpers.runtime.errors import KsnapshotError, StorageFailedError
from dumpers.runtime.log import fields
from dumpers.storage.download import Download
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

_RANGE = re.compile(r"bytes=(\d+)-")
# A client that says nothing is let go.
_SILENT_SECONDS = 60


@dataclass(slots=True, kw_only=True)
class Sending:
    """What is sent, and how that goes; threads share it."""

    storage: RunStorage
    keys: Sequence[str]
    token: str = field(repr=False)
    is_done: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: int = 0
    _last: float = field(default_factory=time.monotonic)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Count a request as under way."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """How long no request has been under way."""
        with self._lock:
            return 0.0 if self._under_way else time.monotonic() - self._last


def handler_of(sending: Sending) -> type[BaseHTTPRequestHandler]:
    """The handler that serves these objects, by their places in the list."""

    class Handler(_Handler):
        sent = sending

    return Handler


class _Handler(BaseHTTPRequestHandler):
    """`GET /<place>` with a range to the end, and `POST /done`; each carries the token."""

    protocol_version = "HTTP/1.1"
    timeout = _SILENT_SECONDS
    sent: Sending
    _has_begun = False

    def do_GET(self) -> None:
        """Send an object from the byte on that is asked for."""
        self._has_begun = False
        if not self._is_allowed():
            return
        place = self.path.removeprefix("/")
        if not place.isdecimal() or int(place) >= len(self.sent.keys):
            self._say(HTTPStatus.NOT_FOUND, "there is no such object")
            return
        with self.sent.busy():
            self._send_object(self.sent.keys[int(place)])

    def do_POST(self) -> None:
        """End the job."""
        if not self._is_allowed():
            return
        if self.path != DONE:
            self._say(HTTPStatus.NOT_FOUND, "there is nothing else to say")
            return
        self._say(HTTPStatus.OK, "done")
        self.sent.is_done = True

    def log_message(self, *_: object) -> None:
        """Stay silent: a log line for each request says nothing."""

    def _is_allowed(self) -> bool:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), self.sent.token.encode()):
            return True
        self._say(HTTPStatus.UNAUTHORIZED, "the token is not the one of this job")
        return False

    def _send_object(self, key: str) -> None:
        storage = self.sent.storage
        found = _RANGE.fullmatch(self.headers.get("Range", "bytes=0-"))
        start = int(found[1]) if found else 0
        try:
            head = storage.call(lambda: storage.bucket.head(key))
            if head is None:
                self._say(HTTPStatus.NOT_FOUND, f"{key} is gone")
                return
            if start > head.size or (start and start == head.size):
                self._say(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"{key} is shorter")
                return
            with Download(storage, key, start=start) as stored:
                first = stored.read()
                self._begin(start, head.size)
                self._copy(first, stored)
        except StorageFailedError as error:
            self._fail(HTTPStatus.BAD_GATEWAY, error)
        except KsnapshotError as error:
            self._fail(HTTPStatus.UNPROCESSABLE_ENTITY, error)
        except OSError:
            # Whoever fetched is gone, or comes again.
            self.close_connection = True

    def _begin(self, start: int, size: int) -> None:
        self._has_begun = True
        # No range is of nothing.
        self.send_response(HTTPStatus.PARTIAL_CONTENT if size else HTTPStatus.OK)
        if size:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()

    def _copy(self, block: bytes, stored: Download) -> None:
        while block:
            self.wfile.write(block)
            block = stored.read()

    def _fail(self, status: HTTPStatus, error: KsnapshotError) -> None:
        _LOG.warning("an object was not sent", extra=fields(why=str(error)))
        self.close_connection = True
        if not self._has_begun:
            self._say(status, str(error))

    def _say(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
