"""The whole dumper on real servers: good runs, and everything that goes wrong."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.elasticsearch.conftest import Servers, env
from tests.integration.dumpers.elasticsearch.worlds import create, put
from tests.integration.dumpers.test_faults import assert_failed
from tests.testbed.databases.search import SearchServer
from tests.testbed.dumper import CRONJOB, Dumper, storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Rule, Slow, Status, Truncate
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import free_port, wait_until

NAMES = ("elasticsearch-8", "opensearch-3", "opensearch-1")
DOCUMENTS = 3000
BUSY = (
    b'{"error":{"root_cause":[{"type":"circuit_breaking_exception","reason":"Data too large"}],'
    b'"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}'
)


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[SearchServer]:
    """A cluster with one index of some pages."""
    started = servers(request.param)
    started.clear()
    create(started, "many", shards=2)
    text = "x" * 500
    documents = {f"{number}": f'{{"n":{number},"name":"{text}"}}' for number in range(DOCUMENTS)}
    started.bulk("many", documents)
    yield started
    started.clear()


@pytest.fixture
def proxy(server: SearchServer, faults: Faults) -> HttpProxy:
    return faults.http(server.port)


@pytest.fixture
def run(
    server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str, tmp_path: Path
) -> Iterator[Dumper]:
    """A dump through a proxy that may fail."""
    (tmp_path / "tmp").mkdir()
    made = Dumper(
        folder=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path / "tmp"),
            "TMPDIR": str(tmp_path / "tmp"),
            **storage_env(s3, bucket),
            **env(server),
            "ELASTICSEARCH_PORT": str(proxy.port),
            "ELASTICSEARCH_TLS": "disable",
            "ELASTICDUMP_LIMIT": "200",
            "KSNAPSHOT_CLUSTER": "test",
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "HOSTNAME": f"{CRONJOB}-29384756-x7k2p",
        },
    )
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def contexts(server: SearchServer) -> int:
    """How many search contexts the server keeps open."""
    stats = server.ask("GET", "/_nodes/stats/indices/search")
    [node] = stats["nodes"].values()
    return int(node["indices"]["search"]["open_contexts"])


def assert_nothing_is_left(s3: S3Server, bucket: str) -> None:
    """No manifest, no open upload and no documents, whatever was stored before them."""
    assert s3.uploads(bucket) == []
    names = [key.rpartition("/")[2] for key in s3.objects(bucket)]
    assert not any(name == "manifest.json" or "-data." in name for name in names)


def assert_no_context_is_left(server: SearchServer) -> None:
    wait_until(lambda: contexts(server) == 0, seconds=30, what="the end of all search contexts")


def test_a_dump_is_stored_by_the_contract(
    run: Dumper, server: SearchServer, s3: S3Server, bucket: str
) -> None:
    ended = run.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    parts = {}
    for key in ended.result.keys or s3.objects(bucket):
        folder, _, name = key.rpartition("/")
        head, _, rest = name.removeprefix(f"dump-{run.env['HOSTNAME']}-").partition("-")
        if folder.endswith("/elasticsearch"):
            assert len(head) == len("YYYYmmddHHMM")
            assert rest.endswith(".jsonl.gz")
            parts[rest.removesuffix(".jsonl.gz")] = gzip.decompress(s3.read(bucket, key))
    assert {"index", "settings", "analyzer", "data", "mapping", "alias", "template"} <= {*parts}
    lines = parts["data"].splitlines()
    assert {json.loads(line)["_id"] for line in lines} == {f"{n}" for n in range(DOCUMENTS)}
    assert_no_context_is_left(server)
    assert "x" * 50 not in ended.log


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"ELASTICSEARCH_PORT": str(free_port())}, ExitCode.SOURCE_FAILED, ["refused"]),
        ({"ELASTICSEARCH_HOST": "no.such.host.invalid"}, ExitCode.SOURCE_FAILED, ["no.such.host"]),
        ({"KSNAPSHOT_INDICES": "nothing"}, ExitCode.SOURCE_REFUSED, ["'nothing'"]),
        ({"KSNAPSHOT_INDICES": "a,,b"}, ExitCode.CONFIGURATION, ["KSNAPSHOT_INDICES"]),
        ({"ELASTICDUMP_LIMIT": "0"}, ExitCode.CONFIGURATION, ["ELASTICDUMP_LIMIT"]),
    ],
)
def test_what_is_wrong_before_anything_is_read(
    run: Dumper,
    s3: S3Server,
    bucket: str,
    changes: dict[str, str],
    code: ExitCode,
    words: list[str],
) -> None:
    ended = run.run(**changes)
    assert_failed(ended, code, *words)
    assert_nothing_is_left(s3, bucket)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (Status(200, b"<html>Please log in</html>"), ExitCode.SOURCE_FAILED, ["proxy", "log in"]),
        (Status(401, b'{"error":"who?"}'), ExitCode.SOURCE_REFUSED, ["401", "login"]),
        (Status(403, b"<html>no</html>"), ExitCode.SOURCE_REFUSED, ["403"]),
        (Status(500, b"<html>oops</html>"), ExitCode.SOURCE_FAILED, ["500", "oops"]),
        (Status(302, b""), ExitCode.SOURCE_REFUSED, ["302"]),
        (Status(200, b'{"version":{"number":"1.7.3"}}'), ExitCode.SOURCE_REFUSED, ["6.8"]),
        (Status(200, b'{"hello":"world"}'), ExitCode.SOURCE_FAILED, ["which Elasticsearch"]),
    ],
)
def test_another_server_answers(
    run: Dumper,
    proxy: HttpProxy,
    s3: S3Server,
    bucket: str,
    status: Status,
    code: ExitCode,
    words: list[str],
) -> None:
    proxy.set(Rule(status, path="^/$"))
    assert_failed(run.run(), code, *words)
    assert_nothing_is_left(s3, bucket)


PAGE = "_search"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Status(200, b'{"took":1}'), ["no page"]),
        (
            Status(
                200,
                b'{"took":1,"timed_out":true,"_shards":{"total":1,"successful":1,"failed":0},'
                b'"hits":{"hits":[]}}',
            ),
            ["timed out"],
        ),
        (
            Status(
                200,
                b'{"took":1,"timed_out":false,"_shards":{"total":2,"successful":1,"failed":1},'
                b'"hits":{"hits":[]}}',
            ),
            ["1 of 2 shards"],
        ),
        (
            Status(
                200,
                b'{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"failed":0},'
                b'"hits":{"total":5,"hits":[]}}',
            ),
            ["many had"],
        ),
        (Truncate(5000), ["no page"]),
        (
            Status(
                404,
                b'{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":'
                b'"No search context found for id [1]"}]},"status":404}',
            ),
            ["lost the search context of many"],
        ),
    ],
)
def test_a_page_that_is_none(
    run: Dumper,
    server: SearchServer,
    proxy: HttpProxy,
    s3: S3Server,
    bucket: str,
    fault: Status | Truncate,
    words: list[str],
) -> None:
    proxy.set(Rule(fault, method="POST", path=PAGE, nth=6))
    ended = run.run()
    assert_failed(ended, ExitCode.SOURCE_FAILED, *words)
    assert_nothing_is_left(s3, bucket)
    assert_no_context_is_left(server)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Status(200, b"<html>Gateway</html>"), ["proxy", "Gateway"]),
        (Status(500, b'{"error":"disk"}'), ["500", "disk"]),
    ],
)
def test_a_server_that_does_not_recover(
    run: Dumper, proxy: HttpProxy, s3: S3Server, bucket: str, fault: Status, words: list[str]
) -> None:
    proxy.set(Rule(fault, method="POST", path=PAGE))
    assert_failed(run.run(), ExitCode.SOURCE_FAILED, *words)
    assert_nothing_is_left(s3, bucket)


def test_a_page_that_breaks_off(
    run: Dumper, server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str
) -> None:
    proxy.set(Rule(Cut(after=5000), method="POST", path=PAGE, nth=6))
    ended = run.run()
    if server.name == "opensearch-1":
        # A scroll has moved on: the page is lost.
        assert_failed(ended, ExitCode.SOURCE_FAILED)
        assert_nothing_is_left(s3, bucket)
    else:
        assert ended.exit_code == ExitCode.DONE, ended.log
    assert_no_context_is_left(server)


def test_a_busy_server_is_waited_for(run: Dumper, server: SearchServer, proxy: HttpProxy) -> None:
    proxy.set(*(Rule(Status(429, BUSY), path=PAGE, nth=nth) for nth in (1, 2, 5, 6, 7, 9)))
    ended = run.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert len([seen for seen in proxy.seen() if seen.status == 429]) == 6
    assert_no_context_is_left(server)


def test_an_index_that_is_deleted_meanwhile(
    run: Dumper, server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str
) -> None:
    create(server, "zzz")
    put(server, "zzz", "1", "{}")
    proxy.set(Rule(Slow(100_000), method="POST", path=PAGE))
    run.start()
    wait_until(lambda: proxy.seen("POST", PAGE), seconds=60, what="the first page")
    server.ask("DELETE", "/zzz")
    proxy.clear()
    ended = run.wait()
    assert_failed(ended, ExitCode.SOURCE_FAILED, "zzz")
    assert_nothing_is_left(s3, bucket)
    assert_no_context_is_left(server)


def test_an_index_that_is_made_meanwhile_is_not_in_it(
    run: Dumper, server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str
) -> None:
    proxy.set(Rule(Slow(100_000), method="POST", path=PAGE))
    run.start()
    wait_until(lambda: proxy.seen("POST", PAGE), seconds=60, what="the first page")
    create(server, "zzz")
    proxy.clear()
    ended = run.wait()
    assert ended.exit_code == ExitCode.DONE, ended.log
    [key] = [key for key in s3.objects(bucket) if key.endswith("manifest.json")]
    manifest = json.loads(s3.read(bucket, key))
    [data] = [item for item in manifest["objects"] if item["name"] == "data"]
    assert data["metadata"] == {"documents": {"many": DOCUMENTS}}


def test_a_signal_ends_it_in_good_order(
    run: Dumper, server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str
) -> None:
    proxy.set(Rule(Slow(50_000), method="POST", path=PAGE))
    process = run.start()
    wait_until(lambda: proxy.seen("POST", PAGE)[5:], seconds=60, what="some pages")
    process.terminate()
    ended = run.wait()
    assert_failed(ended, ExitCode.INTERRUPTED, "SIGTERM")
    assert_nothing_is_left(s3, bucket)
    proxy.clear()
    assert_no_context_is_left(server)


def test_a_red_index(run: Dumper, server: SearchServer, s3: S3Server, bucket: str) -> None:
    # No node fits, so that its primary shard is nowhere.
    settings = {"index.routing.allocation.require.box": "nowhere"}
    server.ask("PUT", "/red?wait_for_active_shards=0", {"settings": settings})
    ended = run.run(KSNAPSHOT_INDICES="many,red")
    assert_failed(ended, ExitCode.SOURCE_FAILED, "'red'", "red, that is")
    assert_nothing_is_left(s3, bucket)
    # Nobody named it: it does not keep the others from being dumped.
    ended = run.run()
    assert ended.exit_code == ExitCode.DONE
    assert "unreadable" in ended.result.notes
    ended = run.run(KSNAPSHOT_INDICES="-red")
    assert ended.exit_code == ExitCode.DONE
    assert "unreadable" not in ended.result.notes


def test_a_node_that_restarts_meanwhile(
    run: Dumper, server: SearchServer, proxy: HttpProxy, s3: S3Server, bucket: str
) -> None:
    proxy.set(Rule(Slow(50_000), method="POST", path=PAGE))
    run.start()
    wait_until(lambda: proxy.seen("POST", PAGE)[5:], seconds=60, what="some pages")
    server.kill()
    server.start()
    proxy.clear()
    ended = run.wait()
    assert_failed(ended, ExitCode.SOURCE_FAILED, server.host)
    assert_nothing_is_left(s3, bucket)
    assert run.run().exit_code == ExitCode.DONE
