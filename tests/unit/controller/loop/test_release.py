"""Passes over Jobs that wait, from their CronJob's template to their release."""

from collections.abc import Mapping
from typing import Any

import pytest

from controller.cli.plan import render
from controller.kube.client import WHOLE_JOBS, ConflictError, ForbiddenError, Resource
from controller.loop.pass_state import PassState
from controller.loop.reconcile import isolate
from controller.manifests.overlay import overlay
from controller.manifests.ownership import PENDING, Holder, hold
from controller.manifests.run_now_job import build_run_now_job
from controller.model.names import (
    AWAITS_RELEASE,
    INSTANTIATE,
    SCHEDULED_FOR,
    verify_cronjob_name,
)
from controller.model.objects import name_of
from controller.model.status import Reason, State
from controller.observe.cluster import ObservationCache, observe_cluster
from controller.settings.settings import Settings
from tests.fakes.kube_memory import MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    DB,
    NOW,
    asks,
    cluster,
    job,
    one_pass,
    settings,
    small,
    states,
)

FOUR = settings(BACKUP_MAX_CONCURRENT="4")
PER_HOST = settings(BACKUP_MAX_CONCURRENT_PER_HOST="1")
NONE = settings()


def template(api: MemoryApi, name: str = DB) -> dict[str, Any]:
    found: dict[str, Any] = api.items["CronJob", CONTROL, name]["spec"]["jobTemplate"]
    return found


def waiting(api: MemoryApi, cronjob: dict[str, Any], name: str, **more: str) -> None:
    made = job(cronjob, name)
    shape = cronjob["spec"]["jobTemplate"]
    made["metadata"]["annotations"] = dict(shape["metadata"].get("annotations") or {}) | more
    made["spec"] = shape["spec"]
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    api.put(made)


def suspended(api: MemoryApi) -> list[str]:
    jobs = (item for (kind, *_), item in api.items.items() if kind == "Job")
    return sorted(item["metadata"]["name"] for item in jobs if item["spec"].get("suspend"))


@pytest.mark.parametrize("limited", [FOUR, PER_HOST])
def test_only_with_a_limit_jobs_are_made_waiting_and_it_can_be_taken_back(
    limited: Settings,
) -> None:
    api = cluster(*small())
    one_pass(api, NONE)
    plain = template(api)
    assert "suspend" not in plain["spec"]
    assert not plain["metadata"].get("annotations")
    one_pass(api, limited)
    assert template(api)["spec"]["suspend"] is True
    assert template(api)["metadata"]["annotations"] == {AWAITS_RELEASE: "true"}
    api.writes.clear()
    one_pass(api, limited)
    assert api.writes == []
    one_pass(api, NONE)
    assert "suspend" not in template(api)["spec"]
    assert not template(api)["metadata"].get("annotations")


def _many(count: int) -> MemoryApi:
    """So many workloads of one namespace, each with a Job that waits."""
    rest = [item for number in range(count) for item in small(name=f"db{number}")[1:]]
    api = cluster(*small()[:1], *rest)
    one_pass(api, FOUR)
    cronjobs = [item for (kind, *_), item in api.items.items() if kind == "CronJob"]
    assert len(cronjobs) == count
    for cronjob in cronjobs:
        waiting(api, cronjob, f"run-{cronjob['metadata']['name']}")
    api.writes.clear()
    return api


def test_passes_let_jobs_begin_as_places_get_free() -> None:
    api, memory = _many(6), PassState()
    assert len(suspended(api)) == 6
    assert one_pass(api, FOUR, memory=memory).succeeded
    assert len(suspended(api)) == 2
    assert one_pass(api, FOUR, memory=memory).succeeded
    assert len(suspended(api)) == 2
    assert api.writes == [("update", "Job", name) for _, _, name in api.writes]
    begun = api.items["Job", CONTROL, api.writes[0][2]]
    assert AWAITS_RELEASE not in begun["metadata"]["annotations"]
    begun["status"]["conditions"] = [{"type": "Failed", "status": "True"}]
    api.put(begun)
    one_pass(api, FOUR, memory=memory)
    assert len(suspended(api)) == 1
    # Without a limit again, nothing is left behind.
    one_pass(api, NONE, memory=memory)
    assert suspended(api) == []


def _shown(api: MemoryApi, limited: Settings) -> list[str]:
    """What `plan` says of the runs that wait."""
    cache = ObservationCache()
    seen = observe_cluster(api, limited, cache, now=NOW, isolate=isolate)
    return [line for line in render(seen.view, limited) if " Job " in line]


def test_a_plan_lists_the_runs_that_the_pass_would_let_begin_and_why_not_the_others() -> None:
    api = _many(6)
    _hold(api, "a-restore")
    shown = _shown(api, FOUR)
    assert len(shown) == 6
    due = "due 2026-01-01 00:00 UTC"
    name = f"run-{name_of(_cronjob(api))}"
    assert f"  . hold Job {name}, {due}: a restore keeps it back" in shown
    released = [line.split()[3].rstrip(",") for line in shown if line.startswith("  > release")]
    [held] = [line for line in shown if "no place is free" in line]
    assert held.endswith("(at most 4 at once)")
    before = suspended(api)
    one_pass(api, FOUR)
    assert released
    assert sorted({*before} - {*suspended(api)}) == sorted(released)
    assert _shown(cluster(*small()), FOUR) == []


def test_who_asks_for_a_run_comes_first_then_who_came_due_first() -> None:
    api = _many(3)
    cronjobs = [item for (kind, *_), item in api.items.items() if kind == "CronJob"]
    for number, cronjob in enumerate(cronjobs):
        due = {SCHEDULED_FOR: f"2026-01-01T03:{9 - number:02}:00Z"}
        waiting(api, cronjob, f"run-{cronjob['metadata']['name']}", **due)
    waiting(api, cronjobs[0], "by-hand", **{INSTANTIATE: "manual"})
    one_pass(api, settings(BACKUP_MAX_CONCURRENT="3"))
    released = [name for _, kind, name in api.writes if kind == "Job"]
    last, late = (f"run-{item['metadata']['name']}" for item in reversed(cronjobs[1:]))
    assert released == ["by-hand", last, late]
    # A place is no matter to who asks.
    waiting(api, cronjobs[0], "again", **{INSTANTIATE: "manual"})
    one_pass(api, settings(BACKUP_MAX_CONCURRENT="3"))
    assert suspended(api) == [f"run-{cronjobs[0]['metadata']['name']}"]


def test_a_release_that_fails_is_a_failure_of_the_pass_and_is_tried_again() -> None:
    api = _many(1)
    api.unwritable["Job", CONTROL] = ConflictError("409")
    result = one_pass(api, FOUR)
    [failure] = result.failures
    assert "not released" in failure
    api.unwritable.clear()
    assert one_pass(api, FOUR).succeeded
    assert suspended(api) == []


def _answer(
    monkeypatch: pytest.MonkeyPatch, api: MemoryApi, *errors: Exception, to: str = ""
) -> None:
    """Let the next replacements of Jobs, or all of the Job `to`, fail."""
    left, replace = [*errors], api.replace

    def answer(resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if resource is WHOLE_JOBS and left and (not to or body["metadata"]["name"] == to):
            raise left[0] if to else left.pop(0)
        return replace(resource, namespace, body)

    monkeypatch.setattr(api, "replace", answer)


def _names(api: MemoryApi) -> list[str]:
    """The Jobs in the order in which they came due."""
    return sorted(name for kind, _, name in api.items if kind == "Job")


def test_a_run_that_is_refused_keeps_its_place_from_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = _many(3)
    first = _names(api)[0]
    _answer(monkeypatch, api, ForbiddenError("403"), to=first)
    result = one_pass(api, settings(BACKUP_MAX_CONCURRENT="2"))
    assert suspended(api) == [first]
    [failure] = result.failures
    assert failure == f"run {first} not released: 403"


def test_a_run_whose_release_was_not_answered_takes_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = _many(3)
    first, second, third = _names(api)
    _answer(monkeypatch, api, unavailable("lost"), to=first)
    one_pass(api, settings(BACKUP_MAX_CONCURRENT="2"))
    assert second not in suspended(api)
    assert third in suspended(api)


def test_while_jobs_are_not_known_none_begins() -> None:
    api = _many(1)
    api.fail("CronJob", CONTROL)
    one_pass(api, FOUR)
    assert len(suspended(api)) == 1


def _cronjob(api: MemoryApi) -> dict[str, Any]:
    return next(item for (kind, *_), item in api.items.items() if kind == "CronJob")


def _hold(api: MemoryApi, uid: str) -> None:
    """Hold the only CronJob by a restore's Job, as the command does."""
    holder = Holder(name="restore", uid=uid, suspended=False)
    api.put({**overlay(_cronjob(api), hold(holder))})


def test_a_run_of_a_cronjob_that_somebody_suspended_begins() -> None:
    api = _many(1)
    cronjob = _cronjob(api)
    api.put(cronjob | {"spec": cronjob["spec"] | {"suspend": True}})
    one_pass(api, FOUR)
    assert suspended(api) == []


def test_a_run_of_a_cronjob_that_a_restore_holds_waits_for_its_end() -> None:
    api, memory = _many(1), PassState()
    restore = api.put(job(_cronjob(api), "restore") | {"spec": {}})
    del restore["metadata"]["ownerReferences"]
    _hold(api, restore["metadata"]["uid"])
    assert one_pass(api, FOUR, memory=memory).succeeded
    assert len(suspended(api)) == 1
    restore["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    api.put(restore)
    # One pass lets the CronJob go, the next one the run.
    one_pass(api, FOUR, memory=memory)
    one_pass(api, FOUR, memory=memory)
    assert suspended(api) == []


def test_a_restore_that_waits_for_a_run_gives_way_to_it() -> None:
    api = _many(1)
    _hold(api, PENDING)
    one_pass(api, FOUR)
    assert suspended(api) == []


def test_a_hold_that_came_since_the_cronjob_was_read_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = _many(1)
    get = api.get

    def hold_first(resource: Resource, *place: str, **options: str) -> dict[str, Any]:
        found = get(resource, *place, **options)
        if resource is WHOLE_JOBS:
            _hold(api, "other")
        return found

    monkeypatch.setattr(api, "get", hold_first)
    assert one_pass(api, FOUR).succeeded
    assert len(suspended(api)) == 1


def test_a_release_that_meets_others_writes_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = _many(1)
    _answer(monkeypatch, api, ConflictError("409"), ConflictError("409"))
    assert one_pass(api, FOUR).succeeded
    assert suspended(api) == []


def test_a_fault_of_the_release_is_a_failure_of_the_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = _many(1)
    _answer(monkeypatch, api, ZeroDivisionError())
    result = one_pass(api, FOUR)
    assert result.failures == ("releases: InternalError",)
    assert result.results


def test_who_waits_for_more_than_an_hour_has_that_reason() -> None:
    api = _many(5)
    one_pass(api, FOUR)
    [left] = suspended(api)
    told = states(one_pass(api, FOUR, minutes=60)).values()
    assert f"{State.WANTED} {Reason.WAITING}" not in told
    # A run that begins, but gets no pod, is another matter.
    assert f"{State.WANTED} {Reason.ANNOTATED}" in told
    result = one_pass(api, FOUR, minutes=61)
    [late] = [item for item in result.results if item.status.reason is Reason.WAITING]
    assert left in late.status.message
    assert "since 2026-01-01T00:00:00Z (at most 4 at once)" in late.status.message


def test_a_run_that_is_asked_for_does_not_wait() -> None:
    api = _many(1)
    [cronjob] = [item for (kind, *_), item in api.items.items() if kind == "CronJob"]
    made = build_run_now_job(cronjob, "now")
    assert "suspend" not in made["spec"]
    assert AWAITS_RELEASE not in made["metadata"]["annotations"]
    # Its own template still says so.
    assert cronjob["spec"]["jobTemplate"]["spec"]["suspend"] is True


def test_a_verification_takes_no_place_and_waits_for_none() -> None:
    says = asks(verify_schedule="0 6 * * 0")
    api = cluster(*small(says))
    how = settings(BACKUP_MAX_CONCURRENT="1")
    one_pass(api, how)
    cronjob = api.items["CronJob", CONTROL, DB]
    verifier = api.items["CronJob", CONTROL, verify_cronjob_name(DB)]
    assert "suspend" not in verifier["spec"]["jobTemplate"]["spec"]
    waiting(api, cronjob, "run-1")
    going_on = job(verifier, "check-1")
    going_on["metadata"] |= verifier["spec"]["jobTemplate"]["metadata"]
    going_on["spec"] = verifier["spec"]["jobTemplate"]["spec"]
    api.put(going_on)
    assert suspended(api) == ["run-1"]
    one_pass(api, how)
    assert suspended(api) == []
