"""What `ksnapshot backup --follow` says of a run that has ended."""

import json

import pytest

from controller.cli.backup_verbs.backup import _show
from controller.client.jobs.follow import JobRef
from controller.client.jobs.progress import JobEnd, Outcome

JOB = JobRef(namespace="ksnapshot", name="run-1", uid="u")


def test_a_partial_run_names_the_storages_that_lack_the_backup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lacking = {"name": "offsite", "stored": False, "reason": "StorageFailed", "message": "away"}
    result = {
        "succeeded": True,
        "exit_code": 0,
        "reason": "Partial",
        "outcome": "partial",
        "message": "not in offsite: away",
        "storages": [{"name": "main", "stored": True}, lacking],
    }
    end = JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0, message=json.dumps(result))
    _show(JOB, end, "demo/db", {}, "table")
    told = capsys.readouterr()
    assert told.out.startswith("demo/db is backed up")
    assert told.err.splitlines() == ["not in the storage offsite: StorageFailed: away"]
    whole = result | {"reason": "Succeeded", "outcome": "", "storages": []}
    end = JobEnd(outcome=Outcome.SUCCEEDED, exit_code=0, message=json.dumps(whole))
    _show(JOB, end, "demo/db", {}, "table")
    assert capsys.readouterr().err == ""
