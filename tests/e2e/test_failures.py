"""Every kind of failure in a real cluster: its right reason in every place, and its alert.

All workloads fail at once, one controller sees to them, and each is looked at once the first whole
pass after its failure has ended. One schedule that makes no Jobs began before, as it takes minutes
to be overdue. Beside them three schedules run, by which Kubernetes says when a run is due.
"""

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from controller.model import names
from controller.model.names import cronjob_name
from controller.model.objects import annotations_of, created_at, name_of, owner_references
from controller.runs.job_status import end_of
from controller.workloads.timing.run_times import next_instant
from tests.demo.kube import Kube, Object
from tests.demo.objects import secret
from tests.demo.world import BUCKET, CONTROL, PREFIX, SHOP, World
from tests.e2e import failures
from tests.e2e.conftest import Stage
from tests.e2e.failures import CASES, HOST, LABEL, LOCKED, LOGIN, Case
from tests.e2e.sights import Observer, Sight, observing
from tests.testbed.cluster.one_node import ClusterError
from tests.testbed.proxies.faults import Refuse

_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
# Between the end of a run and its record: five minutes, and the pause between two passes.
_SLACK = 305
_PLACES = ("status", "metric", "event", "board", "alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule that comes due while the others fail."""

    name: str
    schedule: str
    zone: str

    @property
    def cronjob(self) -> str:
        return cronjob_name("postgresql", f"{SHOP}/{self.name}")


@dataclass(slots=True, kw_only=True)
class Seen:
    """The looks, by their number, and each Job of the three schedules, by its name.

    `created` says when a CronJob was made, in seconds since the epoch.
    """

    schedules: Sequence[Schedule]
    created: dict[str, int] = field(default_factory=dict)
    looks: dict[int, Sight] = field(default_factory=dict)
    jobs: dict[str, Object] = field(default_factory=dict)

    def good_until(self, item: Schedule) -> float:
        """When the last good run ended that the first look saw, else when the CronJob was made."""
        figures = self.looks[1].figures(item.name)
        return figures.get("last_success_timestamp_seconds", self.created[item.cronjob])


def _schedules() -> Sequence[Schedule]:
    """The last one lists some of the next minutes, in a zone that lies no whole hours off."""
    first = datetime.now(UTC) + timedelta(hours=5, minutes=45)
    minutes = sorted({(first + timedelta(minutes=number)).minute for number in (2, 3, 5, 7)})
    return (
        Schedule(name="every-minute", schedule="* * * * *", zone="Etc/UTC"),
        Schedule(name="every-second", schedule="*/2 * * * *", zone="America/New_York"),
        Schedule(
            name="listed-minutes",
            schedule=f"{','.join(map(str, minutes))} * * * *",
            zone="Asia/Kathmandu",
        ),
    )


@pytest.fixture(scope="module")
def seen(shared_stage: Stage) -> Iterator[Seen]:
    """All that was seen, from the beginning of the failures to the last of them."""
    stage, found = shared_stage, Seen(schedules=_schedules())
    world = stage.world
    stage.proxy.clear()
    _prepare(world)
    locking = threading.Thread(target=_hold_locked, args=(world,))
    locking.start()
    try:
        with observing(world.kube) as observer:
            _fail(stage, observer, found)
        yield found
    finally:
        stage.proxy.clear()
        _clean(stage)
        locking.join()


def _prepare(world: World) -> None:
    """Owners that run and ask for nothing yet, and all that their failures need."""
    world.install(
        **{"dumperImages.mysql.v5_7": failures.MISSING_IMAGE, "s3.patience": "2s"},
    )
    world.psql(f"CREATE DATABASE {LOCKED}", "postgres")
    world.psql("CREATE TABLE t (id int)", LOCKED)
    login = failures.login_of(world)
    logins = {
        LOGIN: login,
        failures.WRONG: {**login, "POSTGRES_PASSWORD": secrets.token_hex(8)},
        failures.SLOW: {**login, "POSTGRES_DB": LOCKED},
    }
    made = [secret(name, SHOP, values) for name, values in logins.items()]
    for item in made:
        item["metadata"]["labels"] = failures.LABELS
    scheduled = dict.fromkeys((item.name for item in _schedules()), LOGIN)
    owners = failures.objects(scheduled, annotated=False)
    world.kube.apply(*failures.policies(), *made, failures.down_service(), *owners)
    names = [f"statefulset/{item['metadata']['name']}" for item in owners]
    world.kube.run("rollout", "status", "-n", SHOP, *names, "--timeout=180s")


def _hold_locked(world: World) -> None:
    """Hold the lock until somebody ends the session, which is an error to psql."""
    with suppress(ClusterError):
        world.psql("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3600);", LOCKED)


def _fail(stage: Stage, observer: Observer, found: Seen) -> None:
    """Let everything fail, and look at it."""
    kube, runs = stage.kube, _Runs(kube=stage.kube, seen=found)
    by_name = {item.name: item for item in found.schedules}
    owners = failures.objects(dict.fromkeys(by_name, LOGIN), annotated=True)
    for owner in owners:
        if item := by_name.get(owner["metadata"]["name"]):
            owner["metadata"]["annotations"] = _annotations(item)
    locks = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted LIMIT 1"
    kube.wait("the lock", lambda: stage.world.psql(locks, LOCKED) == "1")
    kube.apply(*owners)
    runs.await_ends(case for case in CASES if case.runs and case.look == 1)
    # It began as the first end-to-end tests did.
    due = _due_of_missed(kube)
    kube.wait("the due time", lambda: time.time() > due, seconds=600)
    found.looks[1] = observer.look()
    made = kube.list("cronjobs", CONTROL)
    found.created = {name_of(cronjob): _seconds(created_at(cronjob)) for cronjob in made}

    # What follows is no trouble of the schedules.
    runs.await_next_of_schedules()
    for item in found.schedules:
        patch = '{"spec":{"suspend":true}}'
        kube.run("patch", "cronjob", item.cronjob, "-n", CONTROL, "--type=merge", f"-p={patch}")
    kube.wait("the schedules' last runs", runs.have_schedules_ended, seconds=200)
    stage.store.client().delete_bucket(Bucket=_emptied(stage))
    runs.ask_for(case for case in CASES if case.name == "bucket-gone")
    stage.store.create_bucket(BUCKET)
    stage.proxy.set(Refuse())
    runs.ask_for(case for case in CASES if case.name == "store-down")
    found.looks[2] = observer.look()


def _due_of_missed(kube: Kube) -> float:
    """When the schedule that may make no Jobs is overdue."""
    [case] = [case for case in CASES if case.name == failures.MISSED]
    cronjob = kube.get("cronjob", case.cronjob, CONTROL)
    assert cronjob is not None
    # Another test may have restored everything meanwhile, which held its schedule for a while.
    let_go = annotations_of(cronjob).get(names.SCHEDULED_SINCE, created_at(cronjob))
    first = next_instant(case.schedule, "Etc/UTC", _seconds(let_go))
    assert first is not None
    return first + int(failures.DEADLINE) + _SLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """The Jobs of all workloads, as they come and go."""

    kube: Kube
    seen: Seen

    def await_ends(self, cases: Iterable[Case]) -> None:
        """Wait until a run of each has begun, and all of them have ended."""
        wanted = list(cases)

        def have_ended() -> bool:
            jobs = self._jobs()
            of = [
                [job for job in jobs if job["metadata"]["name"].startswith(case.run)]
                for case in wanted
            ]
            return all(found and all(map(end_of, found)) for found in of)

        self.kube.wait("the end of all runs", have_ended, seconds=400)

    def ask_for(self, cases: Iterable[Case]) -> None:
        """Let each of them run once, and wait for the end."""
        wanted = list(cases)
        for case in wanted:
            what = ["-n", SHOP, f"statefulset/{case.name}", "--overwrite", f"{PREFIX}/backup-now=1"]
            self.kube.run("annotate", *what)
        self.await_ends(wanted)

    def await_next_of_schedules(self) -> None:
        """Wait until each schedule has had two runs, and one since its last good one was seen."""

        def have_begun() -> bool:
            self._jobs()
            began = [(item, _scheduled(self.seen, item)) for item in self.seen.schedules]
            return all(
                len(moments) > 1 and moments[-1] > self.seen.good_until(item)
                for item, moments in began
            )

        self.kube.wait("the next runs of the schedules", have_begun, seconds=400)

    def have_schedules_ended(self) -> bool:
        return all(end_of(job) for job in self._jobs() if _SCHEDULED in annotations_of(job))

    def _jobs(self) -> list[Object]:
        jobs = self.kube.list("jobs", CONTROL)
        for job in jobs:
            if _SCHEDULED in annotations_of(job):
                self.seen.jobs[name_of(job)] = job
        return jobs


def _annotations(item: Schedule) -> dict[str, str]:
    wanted = {"enabled": "true", "type": "postgresql", "schedule": item.schedule}
    wanted |= {"timezone": item.zone, "host": HOST, "deadline-seconds": failures.DEADLINE}
    return {f"{PREFIX}/{key}": text for key, text in wanted.items()}


def _emptied(stage: Stage) -> str:
    for key in stage.store.objects(BUCKET):
        stage.store.client().delete_object(Bucket=BUCKET, Key=key)
    return BUCKET


def _clean(stage: Stage) -> None:
    """Take away what these tests made, and leave the stage as it was."""
    world = stage.world
    ours = f"--selector={LABEL}=failures"
    kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy"
    world.kube.run("delete", kinds, ours)
    world.kube.run("delete", "statefulset,service,secret", ours, "-n", SHOP)
    world.kube.run("delete", "resourcequota", ours, "-n", CONTROL)
    for cronjob in world.kube.list("cronjobs", CONTROL):
        owner = cronjob["metadata"]["annotations"].get(f"{PREFIX}/owner", "")
        names = {case.key for case in CASES} | {f"{SHOP}/{item.name}" for item in _schedules()}
        if owner in names:
            world.kube.run("delete", "cronjob", cronjob["metadata"]["name"], "-n", CONTROL)
    holders = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    world.psql(f"{holders} WHERE datname = '{LOCKED}'", "postgres")
    world.psql(f"DROP DATABASE IF EXISTS {LOCKED} WITH (FORCE)", "postgres")
    with suppress(stage.store.client().exceptions.ClientError):
        stage.store.create_bucket(BUCKET)
    world.install()


def _reason(case: Case, row: Object) -> str:
    """The reason that a row of the status, or of the board, gives."""
    return str(row["last_result"]["reason"]) if case.cause else str(row["reason"])


def _status(case: Case, sight: Sight) -> None:
    row = sight.status[case.name]
    assert _reason(case, row) in case.reasons
    is_well = case.name in {"good", "suspended"}
    assert row["problem"] is not is_well
    assert row["fix"] or case.name == "good"
    if case.cause:
        assert (row["state"], row["reason"]) == ("wanted", "Annotated")


def _board(case: Case, sight: Sight) -> None:
    row = sight.board[case.name]
    assert _reason(case, row) in case.reasons
    of = sight.summary.partition(f"\n{case.key} ")[2].partition("\n\n")[0]
    assert any(reason in of for reason in case.reasons)


def _metric(case: Case, sight: Sight) -> None:
    # Good runs are counted from 0 on.
    every = sight.series[case.name]
    series = [item for item in every if item.value or not item.name.endswith("_runs_total")]
    reasons = {item.labels["reason"] for item in series if "reason" in item.labels}
    if case.name == "good":
        assert reasons == {"Succeeded"}
        return
    # None that is wrong, in whatever series.
    assert reasons
    assert reasons <= set(case.reasons)
    if not case.cause:
        [state] = [item for item in series if "_state_since_" in item.name]
        assert state.labels["state"] == case.state
        return
    [last] = [item for item in series if item.name.endswith("_last_status")]
    assert (last.value, last.labels["cause"]) == (0, case.cause)
    [count] = [item for item in series if item.name.endswith("_runs_total")]
    assert (count.value, count.labels["outcome"]) == (1, "failed")


def _event(case: Case, sight: Sight) -> None:
    events = sight.events[case.name]
    told = [item for item in events if item["reason"] == case.event]
    assert told, [(item["reason"], item["message"]) for item in events]
    for item in told:
        assert item["involvedObject"]["kind"] == "StatefulSet"
        assert item["involvedObject"]["uid"]
    if case.cause or case.event == "BackupRejected":
        assert any(f"{reason}: " in told[-1]["message"] for reason in case.reasons)
    # A run that gets no image, or no pod, is told of before it fails for it.
    is_blocked_first = any(word in case.name for word in ("image", "quota", "denied"))
    expected = {case.event, "BackupBlocked"} if is_blocked_first else {case.event}
    warnings = {item["reason"] for item in events if item["type"] == "Warning"}
    assert warnings <= expected


def _alert(case: Case, sight: Sight) -> None:
    assert sight.alerts[case.later][case.name] == ({case.alert} if case.alert else set())


_CHECKS = {
    "status": _status,
    "metric": _metric,
    "event": _event,
    "board": _board,
    "alert": _alert,
}


@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_failure_shows_with_its_reason(seen: Seen, case: Case, place: str) -> None:
    _CHECKS[place](case, seen.looks[case.look])


@pytest.mark.parametrize("look", [1, 2])
def test_no_alert_is_true_of_a_workload_that_is_not_expected(seen: Seen, look: int) -> None:
    wanted = defaultdict(set)
    for case in CASES:
        if case.look <= look and case.alert and case.later == failures.NOW:
            wanted[case.name].add(case.alert)
    found = {name: alerts for name, alerts in seen.looks[look].alerts[0].items() if alerts}
    assert found == wanted


def _scheduled(seen: Seen, item: Schedule) -> list[int]:
    """The moments for which Kubernetes says that it made the Jobs of a CronJob."""
    return sorted(
        _seconds(annotations_of(job)[_SCHEDULED])
        for job in seen.jobs.values()
        if owner_references(job)[0]["name"] == item.cronjob
    )


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _calendar(seen: Seen, item: Schedule) -> list[int]:
    """The moments of a schedule from its CronJob's first second to the last run that began."""
    last, found, moment = _scheduled(seen, item)[-1], list[int](), seen.created[item.cronjob]
    while (moment := next_instant(item.schedule, item.zone, moment) or 0) <= last:
        found.append(moment)
    return found


def _skipped(seen: Seen, item: Schedule) -> list[int]:
    """The moments at which Kubernetes makes no Job, as one is under way: on a slow machine."""
    began, runs = _scheduled(seen, item), list[tuple[int, float]]()
    for job in seen.jobs.values():
        if owner_references(job)[0]["name"] == item.cronjob:
            end = end_of(job)
            until = _seconds(end["lastTransitionTime"]) if end else float("inf")
            runs.append((_seconds(created_at(job)), until))
    moments = (moment for moment in _calendar(seen, item) if moment not in began)
    return [at for at in moments if any(start <= at <= end for start, end in runs)]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_runs_begin_when_we_say_that_they_do(seen: Seen, place: int) -> None:
    item = seen.schedules[place]
    began = _scheduled(seen, item)
    assert len(began) >= 2
    assert sorted([*began, *_skipped(seen, item)]) == _calendar(seen, item)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_next_run_is_due_when_kubernetes_makes_it(seen: Seen, place: int) -> None:
    item = seen.schedules[place]
    after, allowance = seen.good_until(item), int(failures.DEADLINE) + _SLACK
    moments = sorted([*_scheduled(seen, item), *_skipped(seen, item)])
    following = next(moment for moment in moments if moment > after)
    due = seen.looks[1].figures(item.name)["due_timestamp_seconds"]
    assert due == following + allowance
