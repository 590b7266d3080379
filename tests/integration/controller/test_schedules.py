"""Our check of schedules and time zones against the API server's own, line by line."""

import secrets

import pytest

from controller.workloads.timing.schedules import ScheduleError, check_zone, parse
from tests.fakes.schedule_table import SCHEDULES, ZONES
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import ApiError

INVALID = 422


@pytest.fixture(scope="module")
def space(apiserver: ApiServer) -> str:
    return apiserver.create_namespace(f"schedules-{secrets.token_hex(3)}")


def accepted(apiserver: ApiServer, space: str, schedule: str, zone: str) -> bool:
    pod = {"restartPolicy": "Never", "containers": [{"name": "job", "image": "x"}]}
    body = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "check"},
        "spec": {
            "schedule": schedule,
            "timeZone": zone,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }
    path = f"/apis/batch/v1/namespaces/{space}/cronjobs"
    try:
        apiserver.api.request("POST", path, body, query={"dryRun": "All"})
    except ApiError as error:
        if error.code == INVALID:
            return False
        raise
    return True


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_is_taken_exactly_when_the_api_server_takes_it(
    apiserver: ApiServer, space: str, schedule: str
) -> None:
    try:
        parse(schedule)
        ours = True
    except ScheduleError:
        ours = False
    assert ours == accepted(apiserver, space, schedule, "Etc/UTC") == SCHEDULES[schedule]


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_zone_is_taken_exactly_when_the_api_server_takes_it(
    apiserver: ApiServer, space: str, zone: str
) -> None:
    try:
        check_zone(zone)
        ours = True
    except ScheduleError:
        ours = False
    assert ours == accepted(apiserver, space, "0 3 * * *", zone) == ZONES[zone]
