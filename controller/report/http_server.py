"""Serves /healthz and /metrics."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import MappingProxyType

from controller.report.metrics.exposition import Exposition
from controller.settings.settings import Settings

_MISSED_INTERVALS = 3


class Health:
    """Whether passes still make progress; a pass that ends with failures does too."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = _MISSED_INTERVALS * (settings.poll_interval + settings.api_timeout)
        self._clock = clock
        self._last_progress = clock()

    def beat(self) -> None:
        """Note that a pass has ended, or has done one more namespace or workload."""
        self._last_progress = self._clock()

    def alive(self) -> bool:
        """Whether the last progress is at most three intervals and as many API timeouts ago."""
        return self._clock() - self._last_progress <= self._limit


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind IPv4 too, and do not look the host's name up as http.server does: that may hang."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)


def serve(port: int, health: Health, metrics: Callable[[], Exposition]) -> ThreadingHTTPServer:
    """Start a server on all interfaces, IPv6 included where there is any, in its own thread.

    Raises OSError if the port cannot be opened.
    """

    class Handler(BaseHTTPRequestHandler):
        # A client that hangs must not hold its thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            """Answer /metrics and /healthz."""
            if self.path == "/metrics":
                self._send_metrics(metrics())
            elif self.path != "/healthz":
                self._send(HTTPStatus.NOT_FOUND, b"not found\n")
            elif health.alive():
                self._send(HTTPStatus.OK, b"ok\n")
            else:
                self._send(HTTPStatus.SERVICE_UNAVAILABLE, b"no pass has got on for too long\n")

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

    server = _Server(("", port), Handler)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server
