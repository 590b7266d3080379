"""A real cluster with ksnapshot installed by helm and databases to back up.

The S3 server stands on this host behind a fault proxy that the pods reach, so the cluster has to
be the testbed's own. With KUBECONFIG set, `make demo` is the end-to-end test.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.model import names
from tests.demo import images
from tests.demo.command import Command
from tests.demo.kube import Kube
from tests.demo.world import BUCKET, CONTROL, DATABASE, SHOP, World
from tests.e2e import failures
from tests.e2e.images_ahead import OF_ALL, building_ahead
from tests.testbed.cluster import one_node as cluster_testbed
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require, require_linux, require_root

_OF_FAILURES = "tests/e2e/test_failures.py"
# Rows that do not compress, so that a dump is some parts long; a type of everything beside them.
_DATA = """
CREATE TABLE noise AS SELECT g AS id, gen_random_uuid()::text || gen_random_uuid() AS text
FROM generate_series(1, 700000) g;
CREATE TABLE people (id int PRIMARY KEY, name text UNIQUE, picture bytea);
CREATE TABLE notes (id int PRIMARY KEY, author int REFERENCES people, body text);
INSERT INTO people SELECT g, E'Zoë 🐘 \\\\ ''' || g, decode(md5(g::text), 'hex')
FROM generate_series(1, 1000) g;
INSERT INTO notes SELECT g, 1 + g % 1000, repeat(E'line\\n\\t', 20) FROM generate_series(1, 5000) g;
"""


# A database that a test brings besides.
STAGING = "staging"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The world and what stands around it on this host."""

    world: World
    store: S3Server
    proxy: HttpProxy

    @property
    def kube(self) -> Kube:
        return self.world.kube


# Of this folder's scope, not the session's: the tests of the cluster itself come after it.
@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Up for these tests; one that ran before is used and left running."""
    require_linux()
    require_root()
    running = cluster_testbed.up()
    yield running
    if running.started:
        cluster_testbed.down()


@pytest.fixture(scope="package")
def shared_stage(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Stage]:
    require(cluster.layout is not None, "the testbed's own cluster")
    images.bring(cluster, images.build(*OF_ALL))
    with (
        building_ahead(request.session.items),
        s3_testbed.start() as store,
        HttpProxy("127.0.0.1", store.port, listen=cluster.host_address) as proxy,
    ):
        store.create_bucket(BUCKET)
        world = World(
            kube=Kube(cluster=cluster),
            endpoint=proxy.url,
            store_key=store.root.access,
            store_secret=store.root.secret,
        )
        world.make_namespaces()
        world.deploy_database()
        world.psql(_DATA)
        world.install()
        if any(item.nodeid.startswith(_OF_FAILURES) for item in request.session.items):
            failures.begin_to_miss(world)
        yield Stage(world=world, store=store, proxy=proxy)
        # What is in a cluster that goes as well need not go by itself, which takes its time.
        if cluster.started:
            world.uninstall()
        else:
            world.remove()


@pytest.fixture
def stage(shared_stage: Stage) -> Stage:
    """The shared stage with nothing broken and an empty bucket."""
    shared_stage.proxy.clear()
    shared_stage.proxy.forget()
    client = shared_stage.store.client()
    for key, upload in shared_stage.store.uploads(BUCKET):
        client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
    for key in shared_stage.store.objects(BUCKET):
        client.delete_object(Bucket=BUCKET, Key=key)
    return shared_stage


@pytest.fixture
def command(stage: Stage) -> Command:
    """The user's command, for the stage's cluster."""
    return Command(cluster=stage.kube.cluster)


@pytest.fixture
def key(stage: Stage, tmp_path: Path) -> Path:
    """The file with the private key, as `age-keygen` would have written it."""
    file = tmp_path / "key.txt"
    file.write_text(f"# public key: {stage.world.recipient}\n{stage.world.identity}\n")
    return file


@pytest.fixture
def cronjob(stage: Stage) -> str:
    """Name of the CronJob that ksnapshot keeps for the database; its schedule is far away."""
    schedule = "0 3 1 1 *"
    stage.world.annotate(schedule)
    return str(stage.world.cronjob(schedule)["metadata"]["name"])


@pytest.fixture
def staging(stage: Stage) -> Iterator[str]:
    """A new, empty PostgreSQL; its pod."""
    login = {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "another", "POSTGRES_DB": DATABASE}
    ready = ["pg_isready", "-h", "127.0.0.1"]
    stage.world.deploy(STAGING, images.DATABASE, port=5432, login=login, ready=ready)
    yield f"{STAGING}-0"
    for kind, name in (
        ("statefulset", STAGING),
        ("service", STAGING),
        ("service", f"{STAGING}-headless"),
        ("secret", f"{STAGING}-login"),
    ):
        stage.kube.run("delete", kind, name, "-n", SHOP, "--wait=true")
    cronjob = names.cronjob_name("postgresql", f"{SHOP}/{STAGING}")
    stage.kube.run("delete", "cronjob", cronjob, "-n", CONTROL, "--ignore-not-found")
