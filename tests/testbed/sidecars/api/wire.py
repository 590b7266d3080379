"""HTTP for the sidecars' doors: requests with chunked bodies too, answers, logins, TLS."""

import base64
import contextlib
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.testbed.toolchain.pki import KeyPair

_JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    target: str
    body: bytes
    login: tuple[str, str]
    content: str = ""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back; without a length it goes in chunks."""

    status: int = 200
    body: bytes = b""
    content: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False


def lines(rows: Iterable[object], *, status: int = 200) -> Answer:
    """Each row as JSON on a line of its own; no row, no byte."""
    text = "".join(f"{compact(row)}\n" for row in rows)
    return Answer(status=status, body=text.encode(), chunked=True)


def compact(row: object) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False)


class Door:
    """A listening server on one address; `answer` says what to send."""

    def __init__(
        self, host: str, port: int, tls: KeyPair | None, answer: Callable[[Asked], Answer]
    ) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def _handle(self) -> None:
                sent = answer(_asked(self))
                with contextlib.suppress(OSError):
                    _send(self, sent)

            do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = _handle  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = _Quiet((host, port), Handler)
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.cert, tls.key)
            # The handshake comes with the first read, in the connection's own thread.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Nobody is let in any more; who is inside is cut off."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut()


class _Quiet(http.server.ThreadingHTTPServer):
    """One that a test's client may leave in the middle, and that can cut all of them off."""

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._open: list[Any] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    def cut(self) -> None:
        for one in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)


def _asked(handler: http.server.BaseHTTPRequestHandler) -> Asked:
    return Asked(
        method=handler.command,
        target=handler.path,
        body=_body(handler),
        content=handler.headers.get("Content-Type", ""),
        login=_login(handler.headers.get("Authorization", "")),
    )


def _login(header: str) -> tuple[str, str]:
    kind, _, value = header.partition(" ")
    if kind != "Basic":
        return "", ""
    with contextlib.suppress(ValueError):
        user, _, password = base64.b64decode(value).decode().partition(":")
        return user, password
    return "", ""


def _body(handler: http.server.BaseHTTPRequestHandler) -> bytes:
    if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return body


def _send(handler: http.server.BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.content)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    bare = handler.command == "HEAD"
    if answer.chunked and not bare:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in _pieces(answer.body):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")
        return
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    if not bare:
        handler.wfile.write(answer.body)


def _pieces(body: bytes) -> Sequence[bytes]:
    return body.splitlines(keepends=True)
