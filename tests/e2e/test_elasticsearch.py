"""From the annotation to a restored index, with the dumper of Elasticsearch and OpenSearch.

The server is the testbed's, on this host; its pod in the cluster passes every connection on to it,
as an ambassador does.
"""

import contextlib
import gzip
import io
import json
import secrets
from collections.abc import Callable, Iterator

import pyrage
import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.elasticsearch.engine import ENGINE
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.demo import images
from tests.demo.world import BUCKET, SHOP, World
from tests.e2e.conftest import Stage
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.databases import search
from tests.testbed.databases.search import SearchServer
from tests.testbed.proxies.search_front import Front
from tests.testbed.proxies.search_front import start as start_front
from tests.testbed.proxies.tcp_faults import TcpProxy

NAME = "opensearch"
_AMBASSADOR = """
import socket, sys, threading
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    finally:
        for one in (a, b):
            try: one.shutdown(socket.SHUT_RDWR)
            except OSError: pass
listener = socket.create_server(("", 9200))
while True:
    client, _ = listener.accept()
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[SearchServer]:
    with search.start("opensearch-3") as started:
        yield started


@pytest.fixture(scope="module")
def front(server: SearchServer) -> Iterator[Front]:
    with start_front(server.port, login=True) as started:
        yield started


@pytest.fixture(scope="module")
def workload(
    cluster: Cluster, shared_stage: Stage, server: SearchServer, front: Front
) -> Iterator[SearchServer]:
    documents = {f"{n}": f'{{"n":{n}.0,"name":"Zoë 🐘 {n}"}}' for n in range(5000)}
    server.ask("PUT", "/books", {"settings": {"number_of_shards": 2}, "aliases": {"all": {}}})
    server.bulk("books", documents)
    with TcpProxy("127.0.0.1", front.port, listen=cluster.host_address) as passage:
        deploy(shared_stage.world, front, cluster.host_address, passage.port)
        yield server
        shared_stage.kube.run("delete", "statefulset", NAME, "-n", SHOP, "--wait=true")


def deploy(world: World, front: Front, host: str, port: int) -> None:
    """A pod that passes every connection on to a server, with the front's login."""
    python = "/opt/ksnapshot/bin/python"
    ready = "import socket as s; s.create_connection(('127.0.0.1', 9200))"
    world.deploy(
        NAME,
        images.ELASTICSEARCH,
        port=9200,
        login={"ELASTICSEARCH_USERNAME": front.user, "ELASTIC_PASSWORD": front.password},
        ready=[python, "-c", ready],
        command=[python, "-c", _AMBASSADOR, host, str(port)],
    )


def test_from_annotation_to_restored_comparison(stage: Stage, workload: SearchServer) -> None:
    world = stage.world
    schedule = f"{secrets.randbelow(60)} {secrets.randbelow(24)} 1 1 *"
    world.annotate(schedule, NAME, "elasticsearch", indices="book*")
    cronjob = world.cronjob(schedule, NAME)["metadata"]["name"]
    job = f"by-hand-{secrets.token_hex(4)}"
    world.run_now(job, cronjob)
    pods = world.kube.wait("its pod", lambda: world.pods_of(job))
    code, result = world.result(pods[0]["metadata"]["name"])
    assert code == ExitCode.DONE, result.message

    [key] = [key for key in stage.store.objects(BUCKET) if key.endswith("manifest.json")]
    listed = json.loads(stage.store.read(BUCKET, key))["objects"]
    stored = {item["name"]: _opened(stage, item["key"]) for item in listed}
    before = workload.ask("GET", "/books/_mapping"), workload.ask("GET", "/books/_alias")
    workload.clear()
    pieces = [
        StoredDump(
            name=item["name"],
            ending=".jsonl",
            size=item["source_size"],
            metadata=item.get("metadata", {}),
            open=_opener(stored[item["name"]]),
        )
        for item in listed
    ]
    target = Connection(host=workload.host, port=workload.port)
    ENGINE.restore(target, pieces, Interrupt())
    assert (workload.ask("GET", "/books/_mapping"), workload.ask("GET", "/books/_alias")) == before
    assert workload.ask("GET", "/books/_count")["count"] == 5000
    _, source = workload.raw("GET", "/books/_source/7")
    assert source == '{"n":7.0,"name":"Zoë 🐘 7"}'.encode()


def _opened(stage: Stage, key: str) -> bytes:
    encrypted = stage.store.read(BUCKET, key)
    return gzip.decompress(pyrage.decrypt(encrypted, [stage.world.identity]))


def _opener(data: bytes) -> Callable[[], contextlib.AbstractContextManager[Reader]]:
    return lambda: contextlib.nullcontext(io.BytesIO(data))
