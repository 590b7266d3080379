"""What a restore must not begin beside, and what it waits for."""

from typing import Any

import pytest

from controller.client.jobs.beside import refuse_beside_running
from controller.client.terminal.errors import CommandError
from controller.model.names import AWAITS_RELEASE, COMPONENT_LABEL, CRONJOB
from tests.fakes.followed_job import DONE, FAILED, RUNNING, Cluster, State, job, pod

_CRONJOB = {"metadata": {"name": "db", "uid": "1"}}
_NAMES = {"name": "j", "namespace": "control", "uid": "u"}


def _dump(*, ended: bool = False, suspend: bool = False, waits: bool = False) -> dict[str, Any]:
    return {
        "metadata": {
            **_NAMES,
            "ownerReferences": [{"uid": "1"}],
            "annotations": {AWAITS_RELEASE: "true"} if waits else {},
        },
        "spec": {"suspend": suspend},
        "status": {"conditions": [{"type": "Failed", "status": "True"}] if ended else []},
    }


def _restore() -> dict[str, Any]:
    labels, annotations = {COMPONENT_LABEL: "restore"}, {CRONJOB: "db"}
    meta = {**_NAMES, "labels": labels, "annotations": annotations}
    return {"metadata": meta, "spec": {"template": {"spec": {"containers": []}}}}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (_dump(), "dumps this database right now"),
        # Let go a moment ago, or stopped by hand and half done.
        (_dump(suspend=False, waits=True), "dumps this database right now"),
        (_dump(suspend=True), "dumps this database right now"),
        (_restore(), "restores this workload right now"),
    ],
)
@pytest.mark.parametrize("pods", [[], [pod(job=RUNNING)], [pod(job=RUNNING, client=DONE)]])
def test_what_goes_on_refuses_a_restore(
    found: dict[str, Any], why: str, pods: list[dict[str, Any]]
) -> None:
    with pytest.raises(CommandError, match=why):
        refuse_beside_running(Cluster([(job(), pods)]), [found], _CRONJOB, "restore")


@pytest.mark.parametrize("found", [_dump(ended=True), _dump(suspend=True, waits=True)])
def test_what_has_ended_or_waits_for_a_place_does_not(found: dict[str, Any]) -> None:
    refuse_beside_running(Cluster([]), [found], _CRONJOB, "restore")


@pytest.mark.parametrize("end", [job("Complete"), job("Failed"), job(uid="another")])
def test_what_has_said_its_result_is_waited_for(
    end: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ending: State = (job(), [pod(job=DONE, client=RUNNING)])
    cluster, pauses = Cluster([ending, ending, (end, [])]), list[float]()
    refuse_beside_running(cluster, [_restore()], _CRONJOB, "restore", pauses.append)
    assert len(pauses) == 2
    assert capsys.readouterr().err == "waiting for the Job j, whose work is done, to end\n"


def test_another_try_of_a_dump_refuses() -> None:
    tries: list[State] = [
        (job(), [pod("j-a", "Failed", job=FAILED)]),
        (job(), [pod("j-a", "Failed", job=FAILED), pod("j-b", job=RUNNING)]),
    ]
    with pytest.raises(CommandError, match="dumps this database right now"):
        refuse_beside_running(Cluster(tries), [_dump()], _CRONJOB, "restore", lambda _: None)
