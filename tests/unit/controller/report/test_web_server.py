"""A server that no client can make take much of the process."""

import http.client
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from controller.report import web_server
from controller.report.web_server import WebServer


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[WebServer]:
    made = WebServer("127.0.0.1", 0, _Handler)
    made.start("test")
    yield made
    made.shutdown()
    made.server_close()


def _connect(server: WebServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=60)


def _asks(server: WebServer) -> int:
    client = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    client.request("GET", "/")
    return client.getresponse().status


def test_who_comes_when_all_places_are_taken_is_sent_away(server: WebServer) -> None:
    held = [_connect(server) for _ in range(web_server._MOST_CONNECTIONS)]
    with _connect(server) as late:
        assert late.recv(1) == b""
    held[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert held[0].recv(1) == b"H"
    for one in held:
        one.close()


def test_a_connection_that_only_drips_is_cut(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_server, "_LONGEST_SECONDS", 0.1)
    with _connect(server) as client:
        client.sendall(b"G")
        assert client.recv(1) == b""
    monkeypatch.undo()
    assert _asks(server) == 200
