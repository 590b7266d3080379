"""Answers as streams: whole or an error, and never deaf to a signal."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import (
    DUMP_ERRORS,
    ConfigurationError,
    InterruptedRunError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.http import Http
from tests.testbed.dumper import PATIENCE_SECONDS
from tests.testbed.toolchain import pki
from tests.testbed.toolchain.processes import free_port

BLOCK = b"0123456789abcdef" * 4096
BLOCKS = 40


class Handler(BaseHTTPRequestHandler):
    """Answers by its path; counts connections by their first request."""

    protocol_version = "HTTP/1.1"
    connections = 0
    released = threading.Event()

    def setup(self) -> None:
        Handler.connections += 1
        super().setup()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/short":
            self._begin(200, ("Content-Length", "1000"))
            self.wfile.write(b"x" * 10)
            self.close_connection = True
        elif path == "/status":
            self._begin(503, ("Content-Length", "4"), ("X-Reason", "tired"))
            self.wfile.write(b"busy")
        elif path == "/unframed":
            self._begin(200, ("Connection", "close"))
            self.wfile.write(b"all there is, as far as anybody can tell")
            self.close_connection = True
        elif path == "/silent":
            Handler.released.wait(PATIENCE_SECONDS)
            self.close_connection = True
        else:
            self._begin(200, ("Transfer-Encoding", "chunked"))
            for number in range(BLOCKS):
                if path == "/torn" and number == BLOCKS // 2:
                    self.close_connection = True
                    return
                if path == "/stuck" and number == BLOCKS // 2:
                    Handler.released.wait(PATIENCE_SECONDS)
                    self.close_connection = True
                    return
                self.wfile.write(b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK))
            self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        said = f"{self.path} {self.headers['X-User']} ".encode() + body
        self._begin(200, ("Content-Length", str(len(said))))
        self.wfile.write(said)

    def _begin(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.end_headers()


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Handler.released.clear()
    yield server.server_address[1]
    Handler.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as number:
        yield number


def http(port: int, *, host: str = "127.0.0.1", tls: str = "", ca_file: str = "") -> Http:
    connection = Connection(host=host, port=port, tls=tls, ca_file=ca_file)
    return Http(connection, secure=bool(tls), headers={"X-User": "dump"}, errors=DUMP_ERRORS)


def test_whole_answers_come_over_one_connection(port: int) -> None:
    client = http(port)
    before = Handler.connections
    answer, body = client.whole("GET", "/status", interrupt=Interrupt())
    assert (answer.status, answer.headers["x-reason"], body) == (503, "tired", b"busy")
    _, body = client.whole(
        "POST", "/echo", query={"a": "b c&d"}, body=b"body", interrupt=Interrupt()
    )
    assert body == b"/echo?a=b+c%26d dump body"
    _, body = client.whole("GET", "/chunked", interrupt=Interrupt())
    assert body == BLOCK * BLOCKS
    assert Handler.connections == before + 1


def test_whether_an_end_can_be_told(port: int) -> None:
    for path, shown in (("/status", True), ("/", True), ("/unframed", False)):
        with http(port).stream("GET", path, interrupt=Interrupt()) as (answer, _):
            assert answer.shows_its_end is shown, path


def test_a_body_is_sent_as_it_is_made(port: int) -> None:
    blocks = (f"block {number};".encode() for number in range(3))
    with http(port).stream("POST", "/load", body=blocks, interrupt=Interrupt()) as (_, reader):
        assert reader.read() == b"/load dump block 0;block 1;block 2;"


def test_a_stream_gives_no_more_than_it_is_asked_for(port: int) -> None:
    with http(port).stream("GET", "/chunked", interrupt=Interrupt()) as (answer, reader):
        assert answer.status == 200
        blocks = list(iter(lambda: reader.read(1000), b""))
    assert max(map(len, blocks)) == 1000
    assert b"".join(blocks) == BLOCK * BLOCKS


@pytest.mark.parametrize("path", ["/short", "/torn"])
def test_a_body_that_breaks_off_is_an_error(port: int, path: str) -> None:
    with pytest.raises(SourceFailedError, match=f"127.0.0.1:{port}"):
        http(port).whole("GET", path, interrupt=Interrupt())


@pytest.mark.parametrize("path", ["/silent", "/stuck"])
def test_a_server_may_be_silent_for_so_long(port: int, path: str) -> None:
    with pytest.raises(SourceFailedError, match="no answer within"):
        http(port).whole("GET", path, interrupt=Interrupt(), seconds=0.2)


@pytest.mark.parametrize("path", ["/silent", "/stuck"])
def test_a_signal_is_noticed_while_the_server_is_silent(port: int, path: str) -> None:
    interrupt = Interrupt()
    threading.Timer(0.3, interrupt.cancel, ["SIGTERM"]).start()
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        http(port).whole("GET", path, interrupt=interrupt)


def test_who_leaves_early_leaves_no_thread(port: int) -> None:
    with http(port).stream("GET", "/stuck", interrupt=Interrupt()) as (_, reader):
        assert reader.read(10)
    for thread in threading.enumerate():
        if thread.name == "http":
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


def test_nobody_listens() -> None:
    port = free_port()
    with pytest.raises(SourceFailedError, match=rf"127\.0\.0\.1:{port}: .*refused"):
        http(port).whole("GET", "/", interrupt=Interrupt())
    with pytest.raises(SourceFailedError, match=r"no\.such\.host\.invalid"):
        http(port, host="no.such.host.invalid").whole("GET", "/", interrupt=Interrupt())


@pytest.mark.parametrize("host", ["h ost", "host\n", " host"])
def test_what_is_no_host_is_named(host: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of a host"):
        http(1, host=host)


def test_an_address_of_a_link() -> None:
    with pytest.raises(SourceFailedError, match=r"fe80::1%nowhere:1"):
        http(1, host="fe80::1%nowhere").whole("GET", "/", interrupt=Interrupt())


def test_tls_is_as_it_was_asked_for(tmp_path: Path) -> None:
    for name in ("own", "foreign"):
        (tmp_path / name).mkdir()
    own, foreign = pki.authority(tmp_path / "own"), pki.authority(tmp_path / "foreign")
    pair = own.server("db", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    good = ((mode, "127.0.0.1") for mode in ("require", "verify-ca", "verify-full"))
    with serving(context) as port:
        for mode, host in (*good, ("verify-ca", "localhost")):
            trusting = http(port, host=host, tls=mode, ca_file=str(own.pair.cert))
            assert trusting.whole("GET", "/status", interrupt=Interrupt())[1] == b"busy"
        for mode, host, ca_file in (
            ("verify-ca", "127.0.0.1", foreign.pair.cert),
            ("verify-full", "127.0.0.1", foreign.pair.cert),
            ("verify-full", "localhost", own.pair.cert),
        ):
            wary = http(port, host=host, tls=mode, ca_file=str(ca_file))
            with pytest.raises(SourceRefusedError, match="certificate of"):
                wary.whole("GET", "/status", interrupt=Interrupt())
    with pytest.raises(ConfigurationError, match="certificates to trust"):
        http(1, tls="verify-ca", ca_file=str(tmp_path / "nothing"))
