"""A real cluster with ksnapshot installed by helm and databases to back up.

The S3 server stands on this host behind a fault proxy that the pods reach, so the cluster has to
be the testbed's own. With KUBECONFIG set, `make demo` is the end-to-end test.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.demo import images
from tests.demo.kube import Kube
from tests.demo.world import BUCKET, World
from tests.testbed.cluster import one_node as cluster_testbed
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require, require_linux, require_root

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
def shared_stage(cluster: Cluster) -> Iterator[Stage]:
    require(cluster.layout is not None, "the testbed's own cluster")
    databases = (images.DATABASE, images.MARIADB, images.CLICKHOUSE_SERVER)
    archives = images.build(images.CONTROLLER, *images.DUMPERS, *databases)
    images.bring(cluster, archives)
    with (
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
        yield Stage(world=world, store=store, proxy=proxy)
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
def cronjob(stage: Stage) -> str:
    """Name of the CronJob that ksnapshot keeps for the database; its schedule is far away."""
    schedule = "0 3 1 1 *"
    stage.world.annotate(schedule)
    return str(stage.world.cronjob(schedule)["metadata"]["name"])
