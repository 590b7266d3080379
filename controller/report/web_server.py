"""An HTTP server beside the passes, which no client can make take much of the process."""

import contextlib
import logging
import socket
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)
# Far more than probes, scrapes and people need at once.
_MOST_CONNECTIONS = 32
# Of one connection, whatever its client does; the largest page takes less than a second.
_LONGEST_SECONDS = 30.0


class WebServer(ThreadingHTTPServer):
    """Serves in threads, so many connections at once, each for so long at most.

    `""` as the address is all interfaces, IPv6 included where there is any, and so is `::`.
    """

    daemon_threads = True

    def __init__(self, address: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        is_six = ":" in address or (not address and socket.has_dualstack_ipv6())
        self.address_family = socket.AF_INET6 if is_six else socket.AF_INET
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__((address, port), handler)

    def start(self, name: str) -> None:
        """Serve from now on, in a thread of this name."""
        threading.Thread(target=self.serve_forever, name=name, daemon=True).start()

    def server_bind(self) -> None:
        """Bind IPv4 too, and do not look the host's name up as http.server does: that may hang."""
        if self.address_family == socket.AF_INET6 and self.server_address[0] in {"", "::"}:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, or close it where all places are taken."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, and end it after a time, whatever comes of it byte by byte."""
        end = threading.Timer(_LONGEST_SECONDS, _cut, [request])
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, *_: object) -> None:
        """Log a fault of ours by its place, and not who went away before the answer was sent."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            place = "".join(traceback.format_tb(error.__traceback__))
            line = fields(fault=type(error).__name__, place=place)
            _log.error("a fault of a web server", extra=line)


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
