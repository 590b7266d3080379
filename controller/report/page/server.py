"""Serves the status page: to whoever gets to its address, so by default to nobody from outside."""

import ipaddress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from controller.report.page.document import plain_page
from controller.report.page.status_page import Answer, StatusPage
from controller.report.page.style import POLICY
from controller.report.web_server import WebServer
from controller.settings.listen import Listen

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve_page(listen: Listen, page: StatusPage) -> WebServer:
    """Start a server in its own thread; OSError if it cannot listen there."""

    class Handler(BaseHTTPRequestHandler):
        # A client that hangs must not hold its thread for ever.
        timeout = 10
        server_version, sys_version = "ksnapshot", ""

        def do_GET(self) -> None:
            """Answer with a page."""
            self._send(self._answer(), with_body=True)

        def do_HEAD(self) -> None:
            """Answer with a page's headers."""
            self._send(self._answer(), with_body=False)

        def log_message(self, *_: object) -> None:
            """Log nothing: who looks is not told."""

        def _answer(self) -> Answer:
            # A page of somebody else's, whose name leads here, is not to read it in a browser.
            if listen.is_local and not _is_local(self.headers.get("Host", "")):
                told = "Ask for it by localhost or 127.0.0.1, as kubectl port-forward says."
                body = plain_page("Another host", told).encode()
                return Answer(HTTPStatus.MISDIRECTED_REQUEST, body)
            return page.answer(self.path)

        def _send(self, answer: Answer, *, with_body: bool) -> None:
            self.send_response(answer.status)
            for name, text in _HEADERS.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if with_body:
                self.wfile.write(answer.body)

    server = WebServer(listen.address, listen.port, Handler)
    server.start("page")
    return server


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine itself, with any port."""
    name, colon, port = host.rpartition(":")
    if not (colon and port.isdigit()):
        name = host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
