from typing import Any

import pytest

from controller.client.restore.after import what_is_left
from dumpers.contract.names import RESTORE
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult


def job(mode: RestoreMode) -> dict[str, Any]:
    value = RestoreRequest(mode=mode, suffix="_$x").to_json().replace("$", "$$")
    container = {"name": "job", "env": [{"name": RESTORE, "value": value}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def result(
    restored: tuple[tuple[str, str], ...], kept: tuple[tuple[str, str], ...] = ()
) -> RestoreResult:
    return RestoreResult(
        succeeded=True, exit_code=0, reason="Succeeded", message="", restored=restored, kept=kept
    )


@pytest.mark.parametrize(
    ("mode", "found", "names"),
    [
        (RestoreMode.BESIDE, result((("a", "a_r"), ("b", "b_r"))), ("a_r", "b_r")),
        # What was loaded under its own name is live.
        (RestoreMode.BESIDE, result((("a", "a"),)), ()),
        (RestoreMode.EMPTY, result((("a", "copy"),)), ()),
        (RestoreMode.OVERWRITE, result((("a", "copy"),)), ()),
        (RestoreMode.SWAP, result((("a", "a"),), (("a", "a_old"),)), ("a_old",)),
    ],
)
def test_only_what_is_not_live_is_left(
    mode: RestoreMode, found: RestoreResult, names: tuple[str, ...]
) -> None:
    assert what_is_left(job(mode), found).names == names


def test_a_job_that_does_not_say_what_it_was_asked_left_nothing_beside() -> None:
    bare = {"spec": {"template": {"spec": {"containers": [{"name": "job"}]}}}}
    broken = job(RestoreMode.BESIDE)
    broken["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "{"
    for item in (bare, broken):
        assert what_is_left(item, result((("a", "b"),))).names == ()
