"""When a run is due, against the Jobs that Kubernetes' own controller makes of a CronJob."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from controller.runs.due import Expectation, first_moment, seconds_of
from tests.integration.controller.kube_controllers import api_server_with
from tests.testbed.toolchain.processes import wait_until

NOW = datetime.now(UTC).replace(microsecond=0)
KOLKATA = "Asia/Kolkata"
# Each with how long ago it ran last: since then one run has come due, and none will for a while.
SCHEDULES = {
    "hourly": (f"{NOW - timedelta(minutes=30):%M} * * * *", "Etc/UTC", timedelta(hours=1)),
    "daily": (
        f"{(NOW - timedelta(hours=12)).astimezone(ZoneInfo(KOLKATA)):%M %H} * * *",
        KOLKATA,
        timedelta(hours=24),
    ),
    "every": ("@every 90m", "America/Nuuk", timedelta(minutes=100)),
}
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def test_three_real_jobs_begin_when_they_are_expected(tmp_path: Path) -> None:
    with api_server_with("job-controller,cronjob-controller", tmp_path) as server:
        api, namespace = server.api, server.create_namespace("due")
        expected = {}
        for name, (schedule, zone, since) in SCHEDULES.items():
            made = api.create(cronjob(namespace, name, schedule, zone))
            last = NOW - since
            api.set_status(made, {"lastScheduleTime": f"{last:%Y-%m-%dT%H:%M:%SZ}"})
            moment = int(last.timestamp())
            expected[name] = first_moment(
                Expectation(schedule=schedule, zone=zone, since=moment, anchor=moment, allowance=0)
            )

        def jobs() -> list[dict[str, Any]]:
            return api.list("batch/v1", "Job", namespace)

        wait_until(lambda: len(jobs()) == len(SCHEDULES), seconds=90, what="a Job of each")
        begun = {
            job["metadata"]["ownerReferences"][0]["name"]: seconds_of(
                job["metadata"]["annotations"][SCHEDULED]
            )
            for job in jobs()
        }
        assert begun == expected


def cronjob(namespace: str, name: str, schedule: str, zone: str) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "box", "image": "none"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "schedule": schedule,
            "timeZone": zone,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }
