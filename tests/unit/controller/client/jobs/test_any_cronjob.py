"""Which CronJob stands for the install where Jobs belong to no workload."""

from typing import Any

import pytest

from controller.client.cluster.install import Install
from controller.client.jobs.any_cronjob import any_cronjob
from controller.model.objects import Json
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import settings

_INSTALL = Install(
    namespace="backup",
    name="ksnapshot",
    version="0.7.0",
    replicas=1,
    running=1,
    settings=settings(),
)
_MADE = f"ksnapshot-{ENGINES[0].type}-backup-ksnapshot-"


def cronjob(name: str, storages: str = "", container: str = "job") -> dict[str, Any]:
    env = [{"name": "KSNAPSHOT_STORAGES", "value": storages}] if storages else []
    pod = {"containers": [{"name": "proxy"}, {"name": container, "env": env}]}
    return {
        "metadata": {"name": name},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}},
    }


@pytest.mark.parametrize(
    ("cronjobs", "found"),
    [
        ([cronjob("a"), cronjob("b")], "a"),
        ([cronjob("far", "offsite,main"), cronjob("near", "main,offsite")], "near"),
        # Somebody has changed one: it dumps nothing, and keeps nobody from the others.
        ([cronjob("changed", container="other"), cronjob("near")], "near"),
        ([cronjob("changed", container="other")], _MADE),
        ([], _MADE),
    ],
    ids=["first", "by storage", "changed", "changed alone", "none"],
)
def test_one_that_dumps_to_main_or_what_settings_make(cronjobs: list[Json], found: str) -> None:
    assert any_cronjob(_INSTALL, cronjobs)["metadata"]["name"].startswith(found)
