from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.runs.blocked import blocked_run

Json = dict[str, Any]
NOW = datetime(2026, 1, 1, 3, tzinfo=UTC)
BEGUN = f"{NOW - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}"
JOB: Json = {"metadata": {"name": "j", "uid": "u"}, "status": {"startTime": BEGUN}}
RUNNING: Json = {"running": {"startedAt": BEGUN}}
WAITING: Json = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
DONE: Json = {"terminated": {"exitCode": 0, "finishedAt": BEGUN}}


def of_shard(index: int, phase: str, state: Json, second: int = 0) -> Json:
    return {
        "metadata": {
            "name": f"j-{index}",
            "uid": f"j-{index}",
            "creationTimestamp": f"2026-01-01T02:50:{second:02}Z",
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
        },
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "job", "state": state}],
        },
    }


@pytest.mark.parametrize("second", [0, 1], ids=["older", "newer"])
def test_a_shard_whose_pod_does_not_start_blocks_its_run_though_another_one_runs(
    second: int,
) -> None:
    pods = (
        of_shard(0, "Pending", WAITING, second),
        of_shard(1, "Running", RUNNING, 1 - second),
    )
    found = blocked_run(JOB, pods, (), NOW)
    assert found is not None
    assert found.cause.reason == "ImagePullBackOff"


def test_a_shard_that_is_stored_does_not_block_the_others() -> None:
    pods = (of_shard(0, "Running", RUNNING), of_shard(1, "Succeeded", DONE, 1))
    assert blocked_run(JOB, pods, (), NOW) is None
