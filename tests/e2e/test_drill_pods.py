"""Pods of drills in a real cluster: one that cannot begin, and one with a volume of its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.model import names
from dumpers.contract.drill.result import Outcome
from tests.demo import images
from tests.demo.command import Command
from tests.demo.kube import Object
from tests.demo.objects import secret
from tests.demo.world import CONTROL, SHOP, WORKLOAD
from tests.e2e.conftest import Stage
from tests.e2e.test_drills import drill_now
from tests.e2e.test_mysql import MariaDB
from tests.e2e.test_prune import done
from tests.testbed.cluster.layout import NODE

_NAME, _MARIADB = f"{SHOP}/{WORKLOAD}", "mariadb-with-volume"
_SCHEDULE = "0 3 1 1 *"
_ASKED = {"drill-schedule": "0 5 1 1 *"}
_IDENTITY, _CLASS = "drill-identity", "drills"
# One for the claim of each test, as they are not given away twice.
_VOLUMES = ("drill-volume-1", "drill-volume-2")
_MISSING = "localhost/ksnapshot-missing:{major}"
_ENFORCED = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def drilling(shared_stage: Stage) -> Iterator[Stage]:
    """An operator with an image of PostgreSQL that is nowhere, and no room on nodes."""
    world, kube = shared_stage.world, shared_stage.kube
    kube.apply(secret(_IDENTITY, CONTROL, {"key.txt": str(world.identity)}))
    world.install(
        **{
            "drill.images.postgresql": _MISSING,
            "drill.images.mariadb": images.names()[images.MARIADB],
            "drill.imagePullSecrets[0].name": "missing",
            "drill.volume.limit": "512Mi",
            "drill.volume.storageClassName": _CLASS,
        },
        identitySecret=f"{_IDENTITY}/key.txt",
    )
    kube.run("label", "namespace", CONTROL, f"{_ENFORCED}=restricted", "--overwrite")
    for name in _VOLUMES:
        folder_of(shared_stage, name).mkdir()
    kube.apply(*(local_volume(name, folder_of(shared_stage, name)) for name in _VOLUMES))
    yield shared_stage
    kube.run("delete", "pv", *_VOLUMES)
    kube.run("label", "namespace", CONTROL, f"{_ENFORCED}-")
    world.install()


def folder_of(stage: Stage, volume: str) -> Path:
    """The folder of a volume, on this host and on the node."""
    layout = stage.kube.cluster.layout
    assert layout
    return layout.folder / volume


def local_volume(name: str, folder: Path) -> Object:
    """A volume of the node for one claim of the class, as the cluster makes none."""
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": _CLASS,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


@pytest.fixture
def command(drilling: Stage) -> Command:
    return Command(cluster=drilling.kube.cluster)


def drill_cronjob(stage: Stage, command: Command, workload: str, engine: str) -> str:
    """The CronJob that drills a workload, behind a dump that tells of version and size."""
    stage.world.annotate(_SCHEDULE, workload, engine)
    dump = stage.world.cronjob(_SCHEDULE, workload)["metadata"]["name"]
    done(command.run("backup", f"{SHOP}/{workload}", "--follow", "--even-if-running"))
    stage.world.annotate(_SCHEDULE, workload, engine, **_ASKED)
    drill = names.drill_cronjob_name(dump)
    stage.kube.wait("its CronJob", lambda: stage.kube.get("cronjob", drill, CONTROL))
    return drill


def test_an_image_that_cannot_be_pulled_is_named(
    stage: Stage, drilling: Stage, command: Command
) -> None:
    drill, kube = drill_cronjob(stage, command, WORKLOAD, "postgresql"), stage.kube
    kube.run("create", "job", f"--from=cronjob/{drill}", "drill-now", "-n", CONTROL)

    def row() -> Object:
        document = json.loads(done(command.run("status", _NAME, "-o", "json")).out)
        [found] = document["workloads"]
        return dict(found)

    def blocked() -> Object | None:
        found = row()
        return found if found["reason"] == "DrillBlocked" else None

    found = kube.wait("its reason", blocked)
    assert found["state"] == "wanted"
    assert "localhost/ksnapshot-missing" in found["message"], found
    # As its deadline does it.
    patch = json.dumps({"spec": {"activeDeadlineSeconds": 1}})
    kube.run("patch", "job", "drill-now", "-n", CONTROL, "-p", patch)
    last = kube.wait("its end to be told", lambda: row()["last_drill"])
    assert (last["job"], last["outcome"], last["in_doubt"]) == ("drill-now", "failed", False), last
    assert last["reason"] == "DeadlineExceeded", last
    kube.wait("the reason to go", lambda: row()["reason"] != "DrillBlocked")
    kube.run("delete", "job", "drill-now", "-n", CONTROL)


def test_a_server_that_needs_much_has_a_volume_that_goes_with_its_pod(
    stage: Stage, drilling: Stage, command: Command
) -> None:
    kube = stage.kube
    with MariaDB.with_data(stage.world, _MARIADB):
        drill = drill_cronjob(stage, command, _MARIADB, "mysql")
        pod, result = drill_now(stage, drill, "drill-now")
    assert result.outcome == Outcome.PASSED, result
    claim = kube.get("pvc", f"{pod['metadata']['name']}-drill", CONTROL)
    assert claim
    assert claim["status"]["phase"] == "Bound"
    # The server's data were there.
    assert any(folder_of(stage, claim["spec"]["volumeName"]).iterdir())
    job = kube.get("job", "drill-now", CONTROL)
    assert job
    assert job["spec"]["ttlSecondsAfterFinished"] == 900
    # As these seconds do it.
    patch = json.dumps({"spec": {"ttlSecondsAfterFinished": 0}})
    kube.run("patch", "job", "drill-now", "-n", CONTROL, "-p", patch)
    kube.wait("its claim to go", lambda: not kube.list("pvc", CONTROL))
