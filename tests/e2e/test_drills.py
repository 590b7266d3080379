"""Backups are drilled in a real cluster, in a namespace with Pod Security `restricted`."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.model import names
from dumpers.contract.drill.result import DrillResult, Outcome
from tests.demo import images
from tests.demo.command import Command
from tests.demo.kube import Object
from tests.demo.objects import secret
from tests.demo.world import BUCKET, CONTROL, PREFIX, SHOP, WORKLOAD
from tests.e2e.clickhouse_pods import ClickHouse
from tests.e2e.conftest import Stage
from tests.e2e.search_pods import NAME as SEARCH
from tests.e2e.search_pods import Elasticsearch
from tests.e2e.test_clickhouse import fill
from tests.e2e.test_mysql import MariaDB
from tests.e2e.test_prune import done

_NAME = f"{SHOP}/{WORKLOAD}"
_MARIADB, _CLICKHOUSE = "mariadb-drilled", "drilled"
_SCHEDULE = "0 3 1 1 *"
_ASKED = {"drill-schedule": "0 5 1 1 *"}
_IDENTITY = "drill-identity"
_ENFORCED = "pod-security.kubernetes.io/enforce"
_SERVERS = (images.DATABASE, images.MARIADB, images.CLICKHOUSE_SERVER, images.SEARCH_SERVER)
_OF_DRILLS = f"{names.COMPONENT_LABEL}={names.DRILL}"


@pytest.fixture(scope="module")
def drilling(shared_stage: Stage) -> Iterator[Stage]:
    """An operator that lets the workload's own image run, and has the key of its backups."""
    world, kube = shared_stage.world, shared_stage.kube
    images.bring(kube.cluster, images.build(images.SEARCH_SERVER))
    kube.apply(secret(_IDENTITY, CONTROL, {"key.txt": str(world.identity)}))
    own = [images.names()[name].rpartition(":")[0] for name in _SERVERS]
    allowed = {f"drill.allowedImages[{n}]": f"{name}:*" for n, name in enumerate(own)}
    world.install(**allowed, identitySecret=f"{_IDENTITY}/key.txt")
    kube.run("label", "namespace", CONTROL, f"{_ENFORCED}=restricted", "--overwrite")
    yield shared_stage
    kube.run("label", "namespace", CONTROL, f"{_ENFORCED}-")
    world.install()


@pytest.fixture(autouse=True)
def clean(drilling: Stage) -> Iterator[None]:
    yield
    gone = [f"{PREFIX}/{name}-" for name in _ASKED]
    drilling.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *gone)
    drilling.kube.run("delete", "jobs", "-n", CONTROL, "-l", _OF_DRILLS)


def drill_now(stage: Stage, drill: str, job: str) -> tuple[Object, DrillResult]:
    """Run the CronJob's Job at once; its pod, and what its reader says at the end."""
    stage.kube.run("create", "job", f"--from=cronjob/{drill}", job, "-n", CONTROL)

    def ended() -> tuple[Object, DrillResult] | None:
        for pod in stage.world.pods_of(job):
            for status in pod["status"].get("containerStatuses") or ():
                told = (status["state"].get("terminated") or {}).get("message")
                if status["name"] == names.CONTAINER and told:
                    return pod, DrillResult.from_json(told)
        return None

    return stage.kube.wait("the drill to end", ended, seconds=600)


def records(stage: Stage) -> list[str]:
    """The kinds of the drills' records in the bucket."""
    keys = (key.rpartition("/")[2] for key in stage.store.objects(BUCKET))
    return sorted(key.partition("-2")[0] for key in keys if key.startswith("drill"))


def spoil(stage: Stage) -> None:
    """Change one byte of what is stored of a backup."""
    key = min(key for key in stage.store.objects(BUCKET) if not key.endswith(".json"))
    body = bytearray(stage.store.read(BUCKET, key))
    body[len(body) // 2] ^= 1
    stage.store.client().put_object(Bucket=BUCKET, Key=key, Body=bytes(body))


def _told(stage: Stage, result: DrillResult) -> str:
    """What a drill says, and its record, in full."""
    record = stage.store.read(BUCKET, result.record).decode() if result.record else "no record"
    return f"{result.to_json()}\n{record}"


def test_backups_are_drilled_by_a_schedule(stage: Stage, cronjob: str, command: Command) -> None:
    done(command.run("backup", _NAME, "--follow", "--even-if-running"))
    stage.world.annotate(_SCHEDULE, **_ASKED)
    drill = names.drill_cronjob_name(cronjob)
    made: Any = stage.kube.wait("its CronJob", lambda: stage.kube.get("cronjob", drill, CONTROL))
    assert names.MANAGED_BY_LABEL not in made["metadata"]["labels"]

    pod, first = drill_now(stage, drill, "drill-now")
    assert (first.outcome, first.succeeded) == (Outcome.PASSED, True), _told(stage, first)
    assert first.image == images.names()[images.DATABASE]
    assert (first.differing, first.tables > 0) == (0, True), first
    assert records(stage) == ["drilled"]
    # The server is there for the drill alone: its pod ends with the other two.
    phase = stage.kube.wait("its pod to end", lambda: _phase(stage, pod), seconds=60)
    assert phase == "Succeeded"

    spoil(stage)
    _, second = drill_now(stage, drill, "drill-again")
    assert (second.outcome, second.succeeded) == (Outcome.FAILED, False), second
    assert records(stage).count("drilled") == 1

    gone = [f"{PREFIX}/{name}-" for name in _ASKED]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *gone)
    stage.kube.wait("its CronJob to go", lambda: stage.kube.get("cronjob", drill, CONTROL) is None)


def _phase(stage: Stage, pod: Object) -> str | None:
    found = stage.kube.get("pod", pod["metadata"]["name"], CONTROL)
    phase = str((found or pod)["status"]["phase"])
    return None if phase == "Running" else phase


def passes(stage: Stage, command: Command, cronjob: Object, workload: str) -> DrillResult:
    """Back a workload up and run the CronJob that drills it: what came of that."""
    done(command.run("backup", workload, "--follow", "--even-if-running"))
    drill = names.drill_cronjob_name(cronjob["metadata"]["name"])
    stage.kube.wait("its CronJob", lambda: stage.kube.get("cronjob", drill, CONTROL))
    _, result = drill_now(stage, drill, "drill-now")
    assert (result.outcome, result.succeeded) == (Outcome.PASSED, True), _told(stage, result)
    assert records(stage) == ["drilled"]
    return result


def test_mariadb_is_drilled(stage: Stage, command: Command) -> None:
    with MariaDB.with_data(stage.world, _MARIADB):
        stage.world.annotate(_SCHEDULE, _MARIADB, "mysql", **_ASKED)
        cronjob = stage.world.cronjob(_SCHEDULE, _MARIADB)
        result = passes(stage, command, cronjob, f"{SHOP}/{_MARIADB}")
    assert (result.image, result.tables) == (images.names()[images.MARIADB], 2)


def test_a_cluster_of_clickhouse_is_drilled(stage: Stage, command: Command) -> None:
    clickhouse = ClickHouse(world=stage.world, name=_CLICKHOUSE)
    asked = {"enabled": "true", "type": "clickhouse", "schedule": _SCHEDULE, **_ASKED}
    clickhouse.deploy(asked)
    fill(clickhouse)
    cronjob = stage.world.cronjob(_SCHEDULE, _CLICKHOUSE)
    result = passes(stage, command, cronjob, f"{SHOP}/{_CLICKHOUSE}")
    assert result.image == images.names()[images.CLICKHOUSE_SERVER]
    clickhouse.remove()


def test_elasticsearch_is_drilled(stage: Stage, command: Command) -> None:
    node = Elasticsearch(world=stage.world)
    node.deploy()
    node.ask("PUT", "/books", '{"settings":{"number_of_shards":2},"aliases":{"all":{}}}')
    texts = (f'{{"index":{{"_id":"{n}"}}}}\n{{"n":{n}.0,"name":"Zoë 🐘"}}\n' for n in range(3000))
    assert node.ask("POST", "/books/_bulk?refresh=true", "".join(texts))["errors"] is False
    stage.world.annotate(_SCHEDULE, SEARCH, "elasticsearch", **_ASKED)
    cronjob = stage.world.cronjob(_SCHEDULE, SEARCH)
    result = passes(stage, command, cronjob, f"{SHOP}/{SEARCH}")
    assert (result.image, result.tables) == (images.names()[images.SEARCH_SERVER], 1)
    node.remove()


def test_a_person_drills_a_backup(stage: Stage, cronjob: str, command: Command) -> None:
    done(command.run("backup", _NAME, "--follow", "--even-if-running"))
    own = images.names()[images.DATABASE]
    # Nothing says by which image, as it asks for no drills by schedule.
    assert stage.kube.get("cronjob", names.drill_cronjob_name(cronjob), CONTROL) is None
    refused = command.run("drill", _NAME)
    assert refused.code == 6
    assert "--image" in refused.err
    found = done(command.run("drill", _NAME, "--image", own, "--follow"))
    assert "was restored and is what was dumped" in found.out
    assert records(stage) == ["drilled"]
    told = json.loads(done(command.run("drill", _NAME, "--image", own, "-f", "-o", "json")).out)
    assert (told["succeeded"], told["outcome"], told["image"]) == (True, "passed", own)
    spoil(stage)
    failed = command.run("drill", _NAME, "--image", own, "--follow")
    assert failed.code not in {0, 6}
    assert f"the drill of {_NAME} failed" in failed.err
