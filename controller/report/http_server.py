"""Serves /healthz, /readyz and /metrics."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import MappingProxyType

from controller.report.metrics.exposition import Exposition
from controller.report.web_server import WebServer
from controller.settings.settings import Settings


class Health:
    """Whether passes still make progress, and whether one has ended; one with failures counts."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = settings.longest_silence
        self._clock = clock
        self._last_progress = clock()
        self._is_ready = False

    def beat(self) -> None:
        """Note that a pass has ended, or has done one more namespace or workload."""
        self._last_progress = self._clock()

    def end_pass(self) -> None:
        """Note that a pass has ended."""
        self.beat()
        self._is_ready = True

    def stand_by(self, *, is_ready: bool) -> None:
        """Note that this replica does no passes now; `is_ready` if another one is known to."""
        self.beat()
        self._is_ready = is_ready

    def ready(self) -> bool:
        """Whether a pass has ended since this replica leads, or another replica leads."""
        return self._is_ready

    def alive(self) -> bool:
        """Whether the last progress is at most three intervals and as many API timeouts ago."""
        return self._clock() - self._last_progress <= self._limit


def serve(port: int, health: Health, metrics: Callable[[], Exposition]) -> WebServer:
    """Start a server on all interfaces, IPv6 included where there is any, in its own thread.

    Raises OSError if the port cannot be opened.
    """

    class Handler(BaseHTTPRequestHandler):
        # A client that hangs must not hold its thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            """Answer /metrics and the probes."""
            if self.path == "/metrics":
                self._send_metrics(metrics())
            else:
                self._send(*_probed(health, self.path))

        def log_message(self, *_: object) -> None:
            """Log nothing: probes come every few seconds."""

        def _send_metrics(self, found: Exposition) -> None:
            """Send the figures, packed to a client that takes them so, as Prometheus does."""
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                self._send(HTTPStatus.OK, found.packed, {"Content-Encoding": "gzip"})
            else:
                self._send(HTTPStatus.OK, found.text)

        def _send(
            self, status: HTTPStatus, body: bytes, more: Mapping[str, str] = MappingProxyType({})
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            for name, text in more.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

    server = WebServer("", port, Handler)
    server.start("http")
    return server


def _probed(health: Health, path: str) -> tuple[HTTPStatus, bytes]:
    """What a probe gets."""
    if path == "/healthz":
        why = b"" if health.alive() else b"no pass has got on for too long\n"
    elif path == "/readyz":
        why = (
            b"" if health.ready() else b"the first pass has not ended, and no other replica leads\n"
        )
    else:
        return HTTPStatus.NOT_FOUND, b"not found\n"
    return (HTTPStatus.SERVICE_UNAVAILABLE, why) if why else (HTTPStatus.OK, b"ok\n")
