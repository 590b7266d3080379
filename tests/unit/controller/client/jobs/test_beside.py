"""What a restore must not begin beside."""

from typing import Any

import pytest

from controller.client.jobs.asked import refuse_beside_running
from controller.client.terminal.errors import CommandError
from controller.model.names import AWAITS_RELEASE, COMPONENT_LABEL, CRONJOB

_CRONJOB = {"metadata": {"name": "db", "uid": "1"}}


def _dump(*, ended: bool = False, suspend: bool = False, waits: bool = False) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "db-1",
            "ownerReferences": [{"uid": "1"}],
            "annotations": {AWAITS_RELEASE: "true"} if waits else {},
        },
        "spec": {"suspend": suspend},
        "status": {"conditions": [{"type": "Failed", "status": "True"}] if ended else []},
    }


def _restore() -> dict[str, Any]:
    labels, annotations = {COMPONENT_LABEL: "restore"}, {CRONJOB: "db"}
    meta = {"name": "restore-1", "labels": labels, "annotations": annotations}
    return {"metadata": meta, "spec": {"template": {"spec": {"containers": []}}}}


@pytest.mark.parametrize(
    ("job", "why"),
    [
        (_dump(), "dumps this database right now"),
        # Let go a moment ago, or stopped by hand and half done.
        (_dump(suspend=False, waits=True), "dumps this database right now"),
        (_dump(suspend=True), "dumps this database right now"),
        (_restore(), "restores this workload right now"),
    ],
)
def test_what_goes_on_refuses_a_restore(job: dict[str, Any], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        refuse_beside_running([job], _CRONJOB, "restore")


@pytest.mark.parametrize("job", [_dump(ended=True), _dump(suspend=True, waits=True)])
def test_what_has_ended_or_waits_for_a_place_does_not(job: dict[str, Any]) -> None:
    refuse_beside_running([job], _CRONJOB, "restore")
