"""Backups are read back by a schedule in a real cluster, and one that was changed is found."""

import json
from collections.abc import Iterator

import pytest

from controller.model import names
from tests.demo.command import Command
from tests.demo.kube import Object
from tests.demo.world import BUCKET, CONTROL, PREFIX, SHOP, WORKLOAD
from tests.e2e.conftest import Stage
from tests.e2e.test_prune import backups, done

_NAME = f"{SHOP}/{WORKLOAD}"
_SCHEDULE = "0 3 1 1 *"
_ASKED = {"verify-schedule": "0 4 1 1 *", "verify-sample": "1/1"}


@pytest.fixture(autouse=True)
def clean(stage: Stage) -> Iterator[None]:
    yield
    gone = [f"{PREFIX}/{name}-" for name in _ASKED]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *gone)
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")


def verify_now(stage: Stage, verifier: str, job: str, command: Command) -> Object:
    """Run the CronJob's Job at once; what the status says of it."""
    stage.kube.run("create", "job", f"--from=cronjob/{verifier}", job, "-n", CONTROL)

    def told() -> Object | None:
        document = json.loads(done(command.run("status", _NAME, "-o", "json")).out)
        [row] = document["workloads"]
        last: Object = row["last_verification"] or {}
        return last if last.get("job") == job else None

    return stage.kube.wait("the verification to be told of", told, seconds=180)


def test_backups_are_read_back_by_a_schedule(stage: Stage, cronjob: str, command: Command) -> None:
    for _ in range(2):
        done(command.run("backup", _NAME, "--follow", "--even-if-running"))
    there = backups(command)
    stage.world.annotate(_SCHEDULE, **_ASKED)
    verifier = names.verify_cronjob_name(cronjob)
    stage.kube.wait("its CronJob", lambda: stage.kube.get("cronjob", verifier, CONTROL))

    first = verify_now(stage, verifier, "verify-now", command)
    assert (first["succeeded"], first["verified"]) == (True, len(there)), first
    assert backups(command) == there

    client = stage.store.client()
    key = min(key for key in stage.store.objects(BUCKET) if not key.endswith(".json"))
    body = bytearray(stage.store.read(BUCKET, key))
    body[len(body) // 2] ^= 1
    client.put_object(Bucket=BUCKET, Key=key, Body=bytes(body))
    second = verify_now(stage, verifier, "verify-again", command)
    assert (second["succeeded"], second["reason"]) == (False, "BackupDamaged"), second
    assert (second["verified"], second["damaged"]) == (len(there) - 1, 1), second
    assert len(backups(command)) == len(there) - 1

    gone = [f"{PREFIX}/{name}-" for name in _ASKED]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *gone)
    stage.kube.wait(
        "its CronJob to go", lambda: stage.kube.get("cronjob", verifier, CONTROL) is None
    )
