"""A cluster and its etcd are thrown away; its databases come back in a new one by the guide.

`KSNAPSHOT_FAULTS=all` takes every family of engines, otherwise two by `KSNAPSHOT_FAULT_SEED`.
"""

import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyrage
import pytest
import yaml

from controller.model.names import HELD_BY
from tests.demo import images
from tests.demo.kube import Kube
from tests.demo.world import BUCKET, CONTROL, SHOP, World
from tests.disaster.families import FAMILIES, Database
from tests.disaster.guide import steps
from tests.e2e.images_ahead import building_ahead
from tests.paths import REPOSITORY
from tests.testbed.cluster import one_node as cluster_testbed
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores import s3 as s3_testbed
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.require import require, require_linux, require_root
from tests.testbed.toolchain.tools import tool

LOST, NEW = "lost", "new"
_IMAGES = {
    "postgresql": (images.POSTGRESQL, images.DATABASE),
    "mariadb": (images.MYSQL, images.MARIADB),
    "clickhouse": (images.CLICKHOUSE, images.CLICKHOUSE_SERVER),
    "opensearch": (images.ELASTICSEARCH,),
}
INSTALL, LOOK, DEPLOY, PLAN, RESTORE, DUMP = STEPS = tuple(range(1, 7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a person has: the bucket, the values, the key, and a shell."""

    folder: Path
    store: S3Server
    port: int
    """Where every cluster reaches the store, on any address of this host."""
    chosen: Sequence[str]
    identity: pyrage.x25519.Identity = field(
        default_factory=pyrage.x25519.Identity.generate, repr=False
    )

    def prepare(self) -> None:
        """Put everything but the values into the folder."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        (self.folder / "charts").symlink_to(REPOSITORY / "charts")
        (self.folder / "key.txt").write_text(f"{self.identity}\n")
        for name in ("kubectl", "helm"):
            (programs / name).symlink_to(tool(name))
        command = programs / "ksnapshot"
        command.write_text(
            f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m controller "$@"\n'
        )
        command.chmod(command.stat().st_mode | stat.S_IXUSR)

    def run(self, cluster: Cluster, command: str, *, code: int = 0) -> str:
        """Run a command as the guide has it, but for the words that are the reader's own.

        Returns what it prints.
        """
        for theirs, ours in self._words.items():
            command = command.replace(theirs, ours)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
                "KUBECONFIG": str(cluster.kubeconfig),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, cluster: Cluster, commands: Sequence[str], *, name: str) -> None:
        """Install as the guide says, with the same values but for the cluster's name."""
        references = images.names()
        repository, _, tag = references[images.CONTROLLER].rpartition(":")
        values = {
            "rbac": {"watchNamespaces": [SHOP]},
            "image": {"repository": repository, "tag": tag},
            "dumperImages": {
                "postgresql": {"v16": references[images.POSTGRESQL]},
                "mysql": {"v8": references[images.MYSQL]},
                "clickhouse": references[images.CLICKHOUSE],
                "elasticsearch": references[images.ELASTICSEARCH],
            },
            "s3": {"bucket": BUCKET, "endpoint": f"http://{cluster.host_address}:{self.port}"},
            "encryption": {"enabled": True, "recipient": str(self.identity.to_public())},
            "controller": {"pollIntervalSeconds": 5},
            "clusterName": name,
        }
        (self.folder / "values.yaml").write_text(yaml.safe_dump(values))
        for command in commands:
            self.run(cluster, command)

    @property
    def _words(self) -> Mapping[str, str]:
        keys = self.store.root
        return {
            "AWS_ACCESS_KEY_ID=…": f"AWS_ACCESS_KEY_ID={keys.access}",
            "AWS_SECRET_ACCESS_KEY=…": f"AWS_SECRET_ACCESS_KEY={keys.secret}",
            "--from-cluster OLD": f"--from-cluster {LOST}",
            "namespace production": f"namespace {SHOP}",
            "production/database": f"{SHOP}/database",
            "-n production": f"-n {SHOP}",
        }


@pytest.fixture
def ahead(chosen: Sequence[str], request: pytest.FixtureRequest) -> Iterator[None]:
    """The end-to-end tests' images are built meanwhile, once those of this test are there."""
    require_linux()
    require_root()
    images.build(*_needed(chosen))
    with building_ahead(request.session.items):
        yield


def _needed(chosen: Sequence[str]) -> Sequence[str]:
    of = [image for name in chosen for image in _IMAGES[name]]
    # Lists of a cluster that has no workload yet run in the first of the dumpers' images.
    return [*dict.fromkeys((images.CONTROLLER, images.MYSQL, *of))]


@pytest.fixture
def chosen() -> Sequence[str]:
    """Families of engines: PostgreSQL and another one, or all."""
    if os.environ.get("KSNAPSHOT_FAULTS") == "all":
        return list(FAMILIES)
    others = [name for name in FAMILIES if name != "postgresql"]
    seed = os.environ.get("KSNAPSHOT_FAULT_SEED", "1")
    return ["postgresql", random.Random(seed).choice(others)]


@pytest.fixture
def desk(chosen: Sequence[str], tmp_path: Path) -> Iterator[Desk]:
    """With a store that outlives every cluster."""
    require_linux()
    require_root()
    with (
        s3_testbed.start() as store,
        TcpProxy("127.0.0.1", store.port, listen="0.0.0.0") as passage,
    ):
        store.create_bucket(BUCKET)
        made = Desk(folder=tmp_path / "desk", store=store, port=passage.port, chosen=chosen)
        made.prepare()
        yield made


@contextmanager
def cluster_of_its_own(desk: Desk) -> Iterator[Cluster]:
    """A cluster with the images and nothing else, thrown away afterwards with all that it holds."""
    require(cluster_testbed.problem() == "not running", "a machine on which no cluster runs")
    archives = images.build(*_needed(desk.chosen))
    cluster = cluster_testbed.up()
    try:
        images.bring(cluster, archives)
        yield cluster
    finally:
        cluster_testbed.down()


@contextmanager
def deployed(desk: Desk, cluster: Cluster) -> Iterator[Sequence[Database]]:
    """The databases, empty, once the controller has found them all."""
    world = World(kube=Kube(cluster=cluster), identity=desk.identity)
    with ExitStack() as open_:
        made = [open_.enter_context(FAMILIES[name](world, cluster)) for name in desk.chosen]

        def are_wanted() -> bool:
            shown = json.loads(desk.run(cluster, "ksnapshot status -o json"))["workloads"]
            return [one["state"] for one in shown] == ["wanted"] * len(made)

        world.kube.wait("all to be wanted", are_wanted, seconds=120)
        yield made


@pytest.mark.timeout(3600)
def test_every_database_comes_back_in_a_new_cluster(
    desk: Desk, ahead: None, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = steps()
    assert tuple(guide) == STEPS
    with cluster_of_its_own(desk) as cluster:
        desk.install(cluster, guide[INSTALL], name=LOST)
        with deployed(desk, cluster) as databases:
            for database in databases:
                database.fill()
                desk.run(cluster, f"ksnapshot backup {SHOP}/{database.name} --follow")
            before = {database.name: database.fingerprint() for database in databases}

    with cluster_of_its_own(desk) as cluster:
        desk.install(cluster, guide[INSTALL], name=NEW)
        [look] = guide[LOOK]
        listed = desk.run(cluster, look)
        assert all(f"{SHOP}/{name}" in listed for name in before)
        assert listed.count(f" {LOST} ") == len(before)
        assert guide[DEPLOY] == ["ksnapshot status"]
        with deployed(desk, cluster) as databases:
            [plan], [restore], [dump] = guide[PLAN], guide[RESTORE], guide[DUMP]
            desk.run(cluster, plan)
            desk.run(cluster, restore)
            after = {database.name: database.fingerprint() for database in databases}
            assert after == before
            # Kubernetes calls a Job complete a moment after its pod has said so, and then the
            # controller lets its schedule go.
            cronjobs = f"kubectl get cronjobs -n {CONTROL} -o yaml"
            Kube(cluster=cluster).wait(
                "the schedules to go on",
                lambda: HELD_BY not in desk.run(cluster, cronjobs),
                seconds=120,
            )
            # Once more: what is there is refused, and stays.
            told = json.loads(desk.run(cluster, f"{restore} -o json", code=1))["restores"]
            assert [one["outcome"] for one in told] == ["failed"] * len(before), told
            assert all("TargetRefused" in one["message"] for one in told), told
            assert {one.name: one.fingerprint() for one in databases} == before
            desk.run(cluster, dump)
    with capsys.disabled():
        print(f"\nback in a new cluster, by the guide: {', '.join(before)}")
