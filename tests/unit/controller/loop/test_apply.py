"""Every plan is stopped before and after each of its writes; the next passes finish the work."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from controller.kube.client import (
    ConflictError,
    ForbiddenError,
    KubeError,
    NotLeadingError,
    RefusedError,
    UnavailableError,
)
from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.status import Reason, State
from controller.plan.changes import Action, PassResult
from controller.report.transitions import RunFinished, Transition
from controller.runs.due import due_at, slack_of
from tests.fakes.kube_golden import CASES, Golden
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.recipients import RECIPIENTS
from tests.fakes.worlds import (
    CONTROL,
    DB,
    asks,
    cluster,
    job,
    one_pass,
    owner,
    pod,
    settings,
    small,
    states,
)

Change = Callable[[MemoryApi], None]


class StoppedError(BaseException):
    """The process ends here."""


def nothing(_: MemoryApi) -> None:
    """A first pass over a fresh cluster."""


def new_schedule(api: MemoryApi) -> None:
    for item in small(asks(schedule="@daily", encryption_enabled="true"))[1:3]:
        api.put(item)


def new_password(api: MemoryApi) -> None:
    api.put(small()[4] | {"data": {"password": "bmV3"}})
    api.put(pod(owner(), says=asks(), number=0))


def strip_uid(api: MemoryApi) -> None:
    """The CronJob was deleted and made again by somebody: its Secret names another uid."""
    key = next(key for key in api.items if key[0] == "Secret" and key[1] == CONTROL)
    api.items[key]["metadata"]["ownerReferences"][0]["uid"] = "stale"


def as_0_6_0(api: MemoryApi) -> None:
    """What the TypeScript operator left: no install, no kind, no owner of the Secret."""
    for (kind, space, _), item in api.items.items():
        meta = item["metadata"]
        if space != CONTROL or kind not in {"CronJob", "Secret"}:
            continue
        kept = {names.OWNER: meta["annotations"].get(names.OWNER, "")}
        meta["annotations"] = kept if kind == "CronJob" else {}
        meta.pop("ownerReferences", None)
        if kind == "CronJob":
            job = item["spec"]["jobTemplate"]["spec"]
            job["backoffLimit"] = 0
            job.pop("podFailurePolicy")
            job["template"]["spec"]["containers"][0]["env"].append({"name": "OLD", "value": "1"})


def owner_gone(api: MemoryApi) -> None:
    api.remove("StatefulSet", "demo", "db")
    api.remove("Pod", "demo", "db-0")


def settle(api: MemoryApi) -> None:
    """Passes, each of a new process, until they write nothing, past the grace time."""
    env = {"GONE_PASSES": "1", "GONE_GRACE_SECONDS": "300"}
    how = settings(DEFAULT_ENCRYPTION_RECIPIENT=RECIPIENTS[0], **env)
    for minutes in itertools.count(step=5):
        before = len(api.writes)
        one_pass(api, how, minutes=minutes)
        if len(api.writes) == before and minutes > 10:
            return
        assert minutes < 100, api.writes


def stop_at(api: MemoryApi, moment: int) -> None:
    """End the process at a moment: every write has one before and one after it."""
    calls = itertools.count()

    def end(_: str) -> None:
        if next(calls) == moment:
            raise StoppedError

    api.on_write = end


def shape(api: MemoryApi) -> dict[Any, Any]:
    """The generated objects, without what differs from run to run."""
    uids = {item["metadata"]["uid"]: key for key, item in api.items.items()}
    found = {}
    for key, item in api.unshown().items():
        if key[1] == CONTROL:
            meta = dict(item["metadata"])
            owners = [uids.get(owner["uid"]) for owner in meta.pop("ownerReferences", ())]
            dropped = ("uid", "resourceVersion", "creationTimestamp")
            kept = {name: value for name, value in meta.items() if name not in dropped}
            if held := meta.get("annotations", {}).get(names.HELD_BY):
                name, _, uid = held.partition("/")
                kept["annotations"] = kept["annotations"] | {names.HELD_BY: (name, uids.get(uid))}
            found[key] = item | {"metadata": kept | {"owners": owners}}
    return found


def prepared(change: Change, *, settled: bool) -> MemoryApi:
    api = cluster(*small())
    if settled:
        settle(api)
    change(api)
    api.writes.clear()
    return api


@pytest.mark.parametrize(
    ("change", "settled"),
    [
        (nothing, False),
        (new_schedule, False),
        (new_schedule, True),
        (new_password, True),
        (strip_uid, True),
        (as_0_6_0, True),
        (owner_gone, True),
    ],
)
def test_a_pass_may_end_at_any_write_and_the_next_ones_converge(
    change: Change, *, settled: bool
) -> None:
    goal = prepared(change, settled=settled)
    settle(goal)
    assert goal.writes
    for stop in range(2 * len(goal.writes)):
        api = prepared(change, settled=settled)
        stop_at(api, stop)
        with pytest.raises(StoppedError):
            settle(api)
        api.on_write = lambda _: None
        settle(api)
        assert shape(api) == shape(goal)
        if change is not owner_gone:
            assert not [write for write in api.writes if write[0] == "delete"]


def ended(golden: Golden, api: MemoryApi) -> None:
    """Passes until well after every grace time; a process that is stopped starts anew at once."""
    memory = golden.memory()
    for minutes in range(0, 80, 10):
        before = len(api.writes)
        try:
            golden.one_pass(api, memory, minutes)
        except StoppedError:
            memory = PassState()
            golden.one_pass(api, memory, minutes)
    assert len(api.writes) == before, "they never come to rest"


@pytest.mark.parametrize("case", CASES)
def test_the_plan_of_a_golden_case_may_end_at_any_write_and_the_next_passes_converge(
    case: str,
) -> None:
    golden = Golden.read(case)
    goal = golden.cluster()
    assert as_planned(golden.one_pass(goal, golden.memory())) == planned(golden)
    goal = golden.cluster()
    ended(golden, goal)
    # A new process does not believe a very old absence that is noted, and notes its own.
    noted = [("update", *key) for key in golden.noted_as_gone()]
    for stop in range(2 * len(goal.writes)):
        api = golden.cluster()
        stop_at(api, stop)
        ended(golden, api)
        assert shape(api) == shape(goal)
        assert Counter(goal.writes) <= Counter(api.writes) <= Counter(goal.writes + noted)


def planned(golden: Golden) -> list[Any]:
    """State, reason and writes of each workload in the case's plan."""
    return [
        (item["workload"], item["state"], item["reason"], [*map(named, item["steps"])])
        for item in golden.plan["items"]
    ]


def named(step: dict[str, Any]) -> tuple[str, str]:
    return next((verb, step[verb]) for verb in Action if verb in step)


def as_planned(result: PassResult) -> list[Any]:
    """The same of a pass that was carried out."""
    return [
        (
            outcome.workload_plan.workload,
            outcome.status.state,
            outcome.status.reason,
            [(step.action, f"{step.kind}/{step.name}") for step in outcome.done],
        )
        for outcome in result.results
    ]


def test_a_refused_cronjob_leaves_no_secret_and_is_told() -> None:
    api = cluster(*small())

    def refuse(moment: str) -> None:
        raise RefusedError("422: spec.schedule: no")

    api.on_write = refuse
    result = one_pass(api)
    assert states(result) == {"demo/db": f"{State.UNKNOWN} {Reason.REFUSED}"}
    assert api.writes == []


def dues(result: PassResult) -> tuple[list[int | None], list[int | None]]:
    """When runs are due by what the pass hands on, and by the CronJobs as they are."""
    slack = slack_of(settings())
    known = [item for item in result.results if item.cronjob]
    return [item.due for item in known], [due_at(item.cronjob or {}, slack) for item in known]


@pytest.mark.parametrize("case", CASES)
def test_a_pass_hands_on_when_runs_are_due(case: str) -> None:
    golden = Golden.read(case)
    api, memory = golden.cluster(), golden.memory()
    for minutes in (0, 1):
        handed_on, found = dues(golden.one_pass(api, memory, minutes))
        assert handed_on == found


def test_a_schedule_that_is_refused_changes_nothing_of_when_a_run_is_due() -> None:
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    [before], found = dues(one_pass(api, memory=memory, minutes=1))
    assert [before] == found
    assert before is not None
    new_schedule(api)

    def refuse(_: str) -> None:
        raise RefusedError("422: spec.schedule: no")

    api.on_write = refuse
    for minutes in (2, 30):
        assert dues(one_pass(api, memory=memory, minutes=minutes)) == ([before], [before])


@pytest.mark.parametrize("error", [RefusedError("422: no"), ForbiddenError("403: quota: no")])
def test_what_only_reads_and_is_refused_keeps_nothing_else_back_and_is_told(
    error: KubeError,
) -> None:
    api = cluster(*small(asks(verify_schedule="0 6 * * 0", drill_schedule="0 7 * * 0")))
    api.items["Pod", "demo", "db-0"]["spec"]["containers"][0]["image"] = "postgres:16"
    verify, drill = names.reader_names(DB)
    calls = itertools.count()

    def refuse(moment: str) -> None:
        # Each write is told before and after it: the third is that of the CronJob that verifies.
        if next(calls) == 4:
            raise error

    api.on_write = refuse
    result = one_pass(api)
    assert states(result) == {"demo/db": f"{State.WANTED} {Reason.READER_REFUSED}"}
    assert not result.succeeded
    (item,) = result.results
    assert f"{verify} is refused" in item.status.message
    assert str(error) in item.status.message
    kinds = {(kind, name) for kind, space, name in api.items if space == CONTROL}
    assert kinds >= {("CronJob", DB), ("CronJob", drill)}
    assert ("CronJob", verify) not in kinds
    assert states(one_pass(api)) == {"demo/db": f"{State.WANTED} {Reason.ANNOTATED}"}
    assert ("CronJob", CONTROL, verify) in api.items


def test_a_secret_that_cannot_be_written_is_a_visible_state() -> None:
    api = cluster(*small())
    calls = itertools.count()

    def refuse(moment: str) -> None:
        if next(calls) == 2:
            raise ConflictError("409")

    api.on_write = refuse
    result = one_pass(api)
    assert states(result) == {"demo/db": f"{State.WANTED} {Reason.WRITE_CONFLICT}"}
    assert not result.succeeded
    assert one_pass(api, memory=PassState()).succeeded


def test_who_leads_no_more_ends_its_pass_and_nothing_is_said_of_the_workload() -> None:
    api = cluster(*small(), *small(name="other")[1:])
    leads = [True]

    def lose(moment: str) -> None:
        if moment == "after":
            leads[0] = False
        elif not leads[0]:
            raise NotLeadingError("not sent")

    api.on_write = lose
    result = one_pass(api)
    assert [kind for _, kind, _ in api.writes] == ["CronJob"]
    assert states(result) == dict.fromkeys(
        ("demo/db", "demo/other"), f"{State.WANTED} {Reason.ANNOTATED}"
    )
    assert not result.failures


def ended_run() -> tuple[MemoryApi, PassState]:
    """A cluster with a run that failed, which no pass has seen yet."""
    api, memory = cluster(*small()), PassState()
    one_pass(api, memory=memory)
    api.put(job(api.items["CronJob", CONTROL, DB], ended="2026-01-01T00:01:00Z", how="Failed"))
    return api, memory


def finished(api: MemoryApi, memory: PassState) -> list[str]:
    """The Jobs whose end one pass tells."""
    told: list[Transition] = []
    one_pass(api, memory=memory, tell=told.append)
    return [item.job for item in told if isinstance(item, RunFinished)]


# As where the write is sent again after the first answer was lost.
LOST = [ConflictError("409"), UnavailableError("no answer")]


@pytest.mark.parametrize("answer", LOST)
def test_the_end_of_a_run_is_told_where_the_answer_to_its_record_is_lost(answer: KubeError) -> None:
    api, memory = ended_run()

    def lose(moment: str) -> None:
        if moment == "after":
            raise answer

    api.on_write = lose
    assert finished(api, memory) == ["run-1"]
    api.on_write = lambda _: None
    assert finished(api, memory) == []
    assert finished(api, PassState()) == []


@pytest.mark.parametrize("answer", LOST)
def test_the_end_of_a_run_is_told_once_where_its_record_has_to_be_written_again(
    answer: KubeError,
) -> None:
    api, memory = ended_run()

    def refuse(_: str) -> None:
        raise answer

    api.on_write = refuse
    assert finished(api, memory) == []
    api.on_write = lambda _: None
    assert finished(api, memory) == ["run-1"]
    assert finished(api, memory) == []


def test_one_failed_write_does_not_stop_the_others() -> None:
    api = cluster(*small(), *small(name="other")[1:])
    calls = itertools.count()

    def refuse(moment: str) -> None:
        if next(calls) == 0:
            raise ConflictError("409")

    api.on_write = refuse
    one_pass(api)
    assert [kind for _, kind, _ in api.writes] == ["CronJob", "Secret"]
