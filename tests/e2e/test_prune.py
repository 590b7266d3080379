"""Backups are judged, accepted and deleted in a real cluster: by the CronJob and by hand."""

import json
from collections.abc import Iterator

import pytest

from controller.model import names
from dumpers.runtime.errors import ExitCode
from tests.demo.command import Command, Ended
from tests.demo.kube import Object
from tests.demo.world import CONTROL, SHOP, WORKLOAD
from tests.e2e.conftest import Stage

_NAME = f"{SHOP}/{WORKLOAD}"
_JOB = "prune-now"


@pytest.fixture(autouse=True)
def clean(stage: Stage) -> Iterator[None]:
    yield
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")


def done(ended: Ended) -> Ended:
    assert ended.code == 0, str(ended)
    return ended


def backups(command: Command) -> set[str]:
    """The ids of the workload's backups that can be restored."""
    listed = json.loads(done(command.run("backups", _NAME, "-o", "json")).out)
    return {item["id"] for item in listed["backups"] if item["restorable"]}


def last_prune(command: Command) -> Object:
    """What the controller says of it; empty where it knows none."""
    document = json.loads(done(command.run("status", "-o", "json")).out)
    found: Object = document["prune"] or {}
    return found


def test_backups_are_judged_accepted_and_deleted(
    stage: Stage, cronjob: str, command: Command
) -> None:
    for _ in range(3):
        # The Job of the one before ends a moment after its pod.
        done(command.run("backup", _NAME, "--follow", "--even-if-running"))
    there = backups(command)
    assert len(there) >= 3

    # The chart's CronJob, under its own account: no policy wants anything gone.
    stage.kube.run("create", "job", "--from=cronjob/ksnapshot-prune", _JOB, "-n", CONTROL)
    stage.kube.wait(
        "the prune to be told of", lambda: last_prune(command).get("job") == _JOB, seconds=180
    )
    told = last_prune(command)
    assert (told["outcome"], told["deleted"]) == ("succeeded", 0), told
    assert told["kept"] >= len(there)
    assert backups(command) == there

    # Every verdict, and nothing is deleted.
    judged = json.loads(done(command.run("prune", _NAME, "--dry-run", "-o", "json")).out)
    verdicts = {item["id"]: item for item in judged["verdicts"]}
    assert there <= set(verdicts)
    assert all(verdicts[item]["keep"] and verdicts[item]["reasons"] for item in there)

    accepted = done(command.run("accept", _NAME, "latest"))
    assert "are accepted" in accepted.out
    marked = stage.kube.get("cronjob", cronjob, CONTROL)
    assert marked
    assert marked["metadata"]["annotations"][names.SIZE_ACCEPTED]

    # Nothing unasked, and nothing at all where one of them is pinned.
    pinned, other, *_ = sorted(there)
    done(command.run("pin", _NAME, pinned))
    refused = command.run("delete", _NAME, pinned, other, "--yes")
    assert refused.code == ExitCode.STORAGE_REFUSED, str(refused)
    assert "pinned" in refused.out + refused.err
    unasked = command.run("delete", _NAME, other)
    assert unasked.code == 6, str(unasked)
    assert backups(command) == there

    deleted = done(command.run("delete", _NAME, other, "--yes"))
    assert "1 backups deleted" in deleted.out
    assert backups(command) == there - {other}
    done(command.run("unpin", _NAME, pinned))
