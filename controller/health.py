"""/healthz and /metrics."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from controller.config import Settings

_MISSED_INTERVALS = 3


class Health:
    """Whether passes still end; a pass that ended with failures is alive too."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = _MISSED_INTERVALS * (settings.poll_interval + settings.api_timeout)
        self._clock = clock
        self._ended = clock()

    def beat(self) -> None:
        """A pass has ended."""
        self._ended = self._clock()

    def alive(self) -> bool:
        """Whether a pass ended within three intervals and as many API timeouts."""
        return self._clock() - self._ended <= self._limit


def serve(port: int, health: Health, metrics: Callable[[], bytes]) -> ThreadingHTTPServer:
    """Answer on all interfaces from a thread of its own; OSError if the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        # A client that hangs must not hold its thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            """Answer the two paths."""
            if self.path == "/metrics":
                self._send(HTTPStatus.OK, metrics())
            elif self.path != "/healthz":
                self._send(HTTPStatus.NOT_FOUND, b"not found\n")
            elif health.alive():
                self._send(HTTPStatus.OK, b"ok\n")
            else:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"no pass has ended for too long\n")

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds: nothing to log."""

        def _send(self, status: HTTPStatus, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
