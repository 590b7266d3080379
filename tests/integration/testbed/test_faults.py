import http.client
import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Hang, Refuse, Rule, Slow, Status, Truncate
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.pki import authority
from tests.testbed.toolchain.processes import wait_until


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the request's body, in chunks when asked for /chunked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._answer(b"0123456789" * 10)

    def do_PUT(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 7):
                block = body[start : start + 7]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Connections are cut here on purpose."""


@pytest.fixture
def echo() -> Iterator[int]:
    server = _Server(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(faults: Faults, echo: int) -> HttpProxy:
    return faults.http(echo)


def _get(proxy: HttpProxy, path: str = "/", *, timeout: float = 10) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _put(proxy: HttpProxy, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    try:
        connection.request("PUT", "/", body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_connection_carries_several_requests(proxy: HttpProxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    for path in ("/", "/chunked", "/?again"):
        connection.request("GET", path)
        assert connection.getresponse().read() == b"0123456789" * 10
    connection.close()
    assert [(seen.path, seen.outcome) for seen in proxy.settled()] == [
        ("/", "ok"),
        ("/chunked", "ok"),
        ("/?again", "ok"),
    ]


def test_only_the_nth_match_meets_the_fault(proxy: HttpProxy) -> None:
    proxy.set(Rule(Status(503, b"slow down", (("Retry-After", "1"),)), path="^/x", nth=2))
    assert [_get(proxy, path)[0] for path in ("/x", "/y", "/x", "/x")] == [200, 200, 503, 200]


def test_rules_change_while_running(proxy: HttpProxy) -> None:
    proxy.set(Status(500))
    assert _get(proxy)[0] == 500
    proxy.clear()
    assert _get(proxy)[0] == 200


@pytest.mark.parametrize("path", ["/", "/chunked"])
def test_an_answer_cut_short_is_noticed(proxy: HttpProxy, path: str) -> None:
    for reset in (True, False):
        proxy.set(Cut(after=30, reset=reset))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            _get(proxy, path)
    assert {seen.outcome for seen in proxy.settled()} == {"cut"}


def test_a_lost_answer_reached_upstream(proxy: HttpProxy) -> None:
    proxy.set(Cut())
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        _put(proxy, b"x" * 1000)
    [seen] = proxy.settled()
    assert (seen.status, seen.sent, seen.outcome) == (200, 1000, "cut")


def test_a_request_cut_short_gets_no_answer(proxy: HttpProxy) -> None:
    proxy.set(Cut(after=500, of="request"))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        _put(proxy, b"x" * 1_000_000)
    [seen] = proxy.settled()
    assert (seen.status, seen.outcome) == (None, "cut")


@pytest.mark.parametrize("path", ["/", "/chunked"])
def test_a_truncated_answer_is_not_noticed(proxy: HttpProxy, path: str) -> None:
    proxy.set(Truncate(13))
    assert _get(proxy, path) == (200, b"0123456789012")


def test_a_slow_answer_takes_its_time(proxy: HttpProxy) -> None:
    proxy.set(Slow(bytes_per_second=200))
    started = time.monotonic()
    assert _get(proxy)[1] == b"0123456789" * 10
    assert time.monotonic() - started > 0.4


def test_a_hanging_request_ends_when_the_rules_change(proxy: HttpProxy) -> None:
    proxy.set(Hang())
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            _get(proxy)
        except (OSError, http.client.HTTPException) as error:
            failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(proxy.seen, seconds=60, what="the request's arrival")
    assert asking.is_alive()
    proxy.clear()
    asking.join(timeout=5)
    assert len(failures) == 1


def test_a_stall_goes_on(proxy: HttpProxy) -> None:
    proxy.set(Hang(seconds=0.2, of="response"))
    assert _get(proxy)[0] == 200


def test_nobody_listens_while_refused(proxy: HttpProxy) -> None:
    proxy.set(Refuse())
    with pytest.raises(ConnectionRefusedError):
        _get(proxy)
    proxy.clear()
    assert _get(proxy)[0] == 200


def test_a_large_upload_of_boto3_passes(faults: Faults, s3: S3Server, bucket: str) -> None:
    proxy = faults.http(s3.port)
    body = b"0123456789abcdef" * 65_536 * 20
    client = s3.client(endpoint=proxy.url)
    client.put_object(Bucket=bucket, Key="large", Body=body)
    assert client.get_object(Bucket=bucket, Key="large")["Body"].read() == body
    proxy.set(Rule(Status(503), method="PUT", times=2))
    client.put_object(Bucket=bucket, Key="retried", Body=b"x")
    assert [seen.status for seen in proxy.settled("PUT", "retried")] == [503, 503, 200]


def test_tls_on_both_sides(faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> None:
    ca = authority(tmp_path_factory.mktemp("pki"))
    with s3_testbed.start(tls=True) as server:
        proxy = faults.http(server.port, tls=ca.server("proxy"), upstream_ca=server.ca)
        client = server.client(endpoint=proxy.url, ca=ca.pair.cert)
        client.create_bucket(Bucket="encrypted")
        client.put_object(Bucket="encrypted", Key="k", Body=b"x" * 3_000_000)
        assert server.objects("encrypted") == {"k": 3_000_000}


def test_tcp_faults_meet_a_database(
    faults: Faults, postgres: PostgresServer, database: str
) -> None:
    proxy = faults.tcp(postgres.port)
    through = {"PGPORT": str(proxy.port)}
    dump = ["--table=t"]
    postgres.psql(
        "create table t as select md5(i::text) from generate_series(1, 20000) i", database
    )
    whole = postgres.run("pg_dump", *dump, database=database, env=through)
    proxy.set(Cut(after=300_000))
    with pytest.raises(RuntimeError, match="pg_dump ended with 1"):
        postgres.run("pg_dump", *dump, database=database, env=through)
    proxy.set(Refuse())
    with pytest.raises(RuntimeError, match="Connection refused"):
        postgres.run("pg_dump", *dump, database=database, env=through)
    proxy.clear()
    assert len(postgres.run("pg_dump", *dump, database=database, env=through)) == len(whole)
    assert [seen.outcome for seen in proxy.settled()] == ["ok", "cut", "ok"]
