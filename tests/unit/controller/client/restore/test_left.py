from dataclasses import replace
from typing import Any

import pytest

from controller.client.restore.left import is_undone, what_is_left
from dumpers.contract.names import RESTORE
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.registry import ENGINES

POSTGRESQL = next(engine for engine in ENGINES if engine.type == "postgresql")
SEARCH = next(engine for engine in ENGINES if engine.swaps_aliases)


def job(mode: RestoreMode, **names: str) -> dict[str, Any]:
    request = RestoreRequest(mode=mode, suffix="_$x", names=names or None)
    value = request.to_json().replace("$", "$$")
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
    assert what_is_left(job(mode), found, POSTGRESQL).names == names


def test_a_job_that_does_not_say_what_it_was_asked_left_nothing_beside() -> None:
    bare = {"spec": {"template": {"spec": {"containers": [{"name": "job"}]}}}}
    broken = job(RestoreMode.BESIDE)
    broken["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = "{"
    for item in (bare, broken):
        assert what_is_left(item, result((("a", "b"),)), POSTGRESQL).names == ()


SWAPPED = result((("a", "a_$x"), ("new", "new")), (("alias", "a"),))


def test_where_aliases_change_places_an_undo_leaves_what_was_restored() -> None:
    swap = job(RestoreMode.SWAP)
    assert what_is_left(swap, SWAPPED, SEARCH).names == ("a",)
    undone = what_is_left(swap, SWAPPED, SEARCH, is_undone=True)
    # It had nothing to change places with, and is live.
    assert undone.names == ("a_$x",)
    assert undone.kept == (("alias", "a"),)
    named = result((("a", "b"), ("c", "d_$x")), (("alias", "a"),))
    assert what_is_left(
        job(RestoreMode.SWAP, a="b", c="d"), named, SEARCH, is_undone=True
    ).names == ("d_$x",)
    # Elsewhere the kept name holds what was restored then.
    other = result((("a", "a"),), (("a", "a_old"),))
    assert what_is_left(swap, other, POSTGRESQL, is_undone=True).names == ("a_old",)


@pytest.mark.parametrize(
    ("mode", "names"),
    [(RestoreMode.BESIDE, ("a_$x",)), (RestoreMode.SWAP, ("a_$x",)), (RestoreMode.OVERWRITE, ())],
)
def test_a_restore_that_failed_may_have_left_what_it_loaded_beside(
    mode: RestoreMode, names: tuple[str, ...]
) -> None:
    failed = replace(SWAPPED, succeeded=False, restored=(("a", "a_$x"),))
    left = what_is_left(job(mode), failed, SEARCH)
    assert (left.kept, left.names) == ((), names)


def ended(created: str, end: str, kind: str = "Complete") -> dict[str, Any]:
    condition = {"type": kind, "status": "True", "lastTransitionTime": end}
    return {"metadata": {"creationTimestamp": created}, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("undo", "expected"),
    [
        (ended("2026-01-01T03:10:00Z", "2026-01-01T03:11:00Z"), True),
        (ended("2026-01-01T03:05:00Z", "2026-01-01T03:11:00Z"), True),
        # It was of an earlier restore.
        (ended("2026-01-01T02:00:00Z", "2026-01-01T02:01:00Z"), False),
        (ended("2026-01-01T03:10:00Z", "2026-01-01T03:11:00Z", "Failed"), False),
        ({"metadata": {"creationTimestamp": "2026-01-01T03:10:00Z"}}, False),
    ],
)
def test_only_an_undo_behind_a_restore_took_it_back(
    undo: dict[str, Any], *, expected: bool
) -> None:
    restore = ended("2026-01-01T03:00:00Z", "2026-01-01T03:05:00Z")
    assert is_undone(restore, [undo]) == expected
    assert not is_undone(restore, [])
