"""Forty runs and few places, with Kubernetes' own controllers of CronJobs and Jobs."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model.names import AWAITS_RELEASE, CONTAINER
from controller.runs.job_status import end_of
from controller.runs.releases.host import host_of
from tests.integration.controller.kube_controllers import api_server_with
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain.processes import wait_until

Json = dict[str, Any]
_JOBS, _PLACES, _PER_HOST, _HOSTS = 40, 4, 2, 5


@pytest.fixture
def with_controllers(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server_with("job-controller,cronjob-controller", tmp_path) as server:
        yield server


def _jobs(world: World) -> list[Json]:
    return world.api.list("batch/v1", "Job", world.control)


def _going(world: World) -> list[Json]:
    """The Jobs that have begun and not ended."""
    return [job for job in _jobs(world) if not job["spec"].get("suspend") and end_of(job) is None]


def _end_pods(world: World) -> None:
    """Let the pods that are there end well, as a kubelet tells it."""
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T03:00:08Z"}}
    box = {"name": CONTAINER, "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    status = {"phase": "Succeeded", "containerStatuses": [box | {"state": ended}]}
    for pod in world.api.list("v1", "Pod", world.control):
        if pod["status"]["phase"] == "Pending":
            world.api.set_status({"apiVersion": "v1", "kind": "Pod"} | pod, status)


def test_forty_runs_never_take_more_than_their_places_and_none_is_lost(
    with_controllers: ApiServer,
) -> None:
    world = build(
        with_controllers,
        BACKUP_MAX_CONCURRENT=str(_PLACES),
        BACKUP_MAX_CONCURRENT_PER_HOST=str(_PER_HOST),
    )
    for number in range(_JOBS):
        host = f"host-{number % _HOSTS}"
        database(world.api, world.watched[0], f"db{number}", schedule="0 * * * *", host=host)
    kube, memory = world.kube(), PassState()
    assert run(kube, world.settings, memory).succeeded
    cronjobs = world.cronjobs()
    assert len(cronjobs) == _JOBS
    before = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    for cronjob in cronjobs.values():
        # So that the last full hour comes due now.
        world.api.set_status(cronjob, {"lastScheduleTime": before})
    wait_until(lambda: len(_jobs(world)) == _JOBS, seconds=60, what="all Jobs")
    wait_until(
        lambda: all(job["status"].get("conditions") for job in _jobs(world)),
        seconds=30,
        what="all Jobs seen to be suspended",
    )
    for job in _jobs(world):
        assert job["spec"]["suspend"] is True
        assert job["metadata"]["annotations"][AWAITS_RELEASE] == "true"
        assert "startTime" not in job["status"]
    assert world.api.list("v1", "Pod", world.control) == []

    hosts = {item["metadata"]["uid"]: host_of(item) for item in cronjobs.values()}
    most = 0

    def goes_on() -> bool:
        nonlocal most
        # Others write, too, so a pass may meet a conflict; the next one tries again.
        run(kube, world.settings, memory)
        going = _going(world)
        most = max(most, len(going))
        assert len(going) <= _PLACES
        owners = (job["metadata"]["ownerReferences"][0]["uid"] for job in going)
        assert max(Counter(hosts[uid] for uid in owners).values(), default=0) <= _PER_HOST
        _end_pods(world)
        return all(end_of(job) is not None for job in _jobs(world))

    wait_until(goes_on, seconds=120, what="the end of all runs")
    assert most == _PLACES
    ended = _jobs(world)
    assert len(ended) == _JOBS
    assert {job["metadata"]["ownerReferences"][0]["uid"] for job in ended} == hosts.keys()
    for job in ended:
        assert [item["type"] for item in job["status"]["conditions"] if item["status"] == "True"]
        assert job["status"]["succeeded"] == 1
        assert AWAITS_RELEASE not in job["metadata"]["annotations"]
    # The time of a run, and so its deadline, counts from its release.
    began = sorted(job["status"]["startTime"] for job in ended)
    assert began[0] < began[-1]
