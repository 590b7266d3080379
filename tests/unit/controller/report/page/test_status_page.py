"""The page over passes of the controller: what it shows, when it is made, and how large it is."""

import json
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.status import Reason, State, WorkloadStatus
from controller.report.page import status_page
from controller.report.page.entries import Level
from controller.report.page.findings import Findings
from controller.report.page.status_page import StatusPage
from controller.report.proof_rows import drill_member
from controller.report.status_subjects import Asked, RowKey, Subject
from tests.fakes.kube_memory import MemoryApi
from tests.fakes.page_reader import Reader, cell, read
from tests.fakes.worlds import CONTROL, DB, NOW, asks, cluster, one_pass, settings, small
from tests.unit.controller.report.shown import row

HOSTILE = "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>'\"\u202e&lt;"


def past(day: int, *, good: bool = True, size: int = 10**9, notes: Iterable[str] = ()) -> Any:
    run: dict[str, Any] = {"finished": f"2026-01-{day:02}T03:00:41Z"}
    run |= {"outcome": "succeeded" if good else "failed"}
    run |= {"reason": "Succeeded" if good else "SourceRefused", "seconds": 41.0}
    return run | {"bytes": size if good else 0, "notes": [*notes]}


def ran(api: MemoryApi, *runs: Any, message: str = "", name: str = DB) -> None:
    """Let a CronJob record these runs, newest first."""

    def result(run: Any) -> str:
        good = run["outcome"] == "succeeded"
        said = {"version": 1, "job": "run", "succeeded": good, "exit_code": 0 if good else 20}
        is_whole = run["reason"] == "Succeeded"
        said |= {"message": "" if is_whole else message, "stored_bytes": run["bytes"]}
        said |= {key: run[key] for key in ("finished", "reason", "seconds", "notes")}
        return json.dumps(said)

    cronjob = api.items["CronJob", CONTROL, name]
    cronjob["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    written = {names.HISTORY: json.dumps(runs), names.LAST_RESULT: result(runs[0])}
    if good := next((run for run in runs if run["outcome"] == "succeeded"), None):
        written[names.LAST_SUCCESS] = result(good)
    cronjob["metadata"]["annotations"] |= written
    api.put(cronjob)


class World:
    """A cluster, its passes, and the page."""

    def __init__(self, *items: Any, watched: tuple[str, ...] = ("demo",), **env: str) -> None:
        self.api = cluster(*items)
        self.settings = settings(*watched, **env)
        self.memory = PassState()
        self.now = NOW
        self.page = StatusPage(self.settings, self.clock)

    def clock(self) -> float:
        return self.now.timestamp()

    def passed(self, minutes: float = 0) -> None:
        self.now = NOW + timedelta(minutes=minutes)
        result = one_pass(self.api, self.settings, self.memory, minutes)
        self.page.update(self.memory.findings, result.running)

    def read(self, target: str = "/") -> Reader:
        answer = self.page.answer(target)
        assert answer.status is HTTPStatus.OK
        return read(answer.body)


def one(says: dict[str, str] | None = None) -> World:
    world = World(*small(says))
    world.passed()
    return world


DAY = 1440


def test_before_the_first_pass_it_says_so() -> None:
    answer = StatusPage(settings()).answer("/")
    assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert b"first pass" in answer.body


def test_a_row_shows_what_the_board_shows_and_curves_besides() -> None:
    world = one()
    ran(world.api, past(3, notes=["standby"]), past(2), past(1, good=False))
    world.passed(2 * DAY + 300)
    found = world.read()
    shown = row(world.api, "demo")
    assert found.headings == [
        *("Workload", "State", "Last run", "Next run", "Stored", "Duration", "Backups")
    ]
    assert cell(found, "demo/db", "Workload") == "demo/db StatefulSet postgresql"
    assert cell(found, "demo/db", "State") == "good"
    assert cell(found, "demo/db", "Last run") == "good 2026-01-03 03:00"
    assert shown["next"] == "2026-01-04T03:00:00Z"
    assert cell(found, "demo/db", "Next run") == "2026-01-04 03:00 0 3 * * * Etc/UTC"
    assert cell(found, "demo/db", "Stored") == "953.7 MiB"
    assert cell(found, "demo/db", "Duration") == "41 s"
    assert [item["finished"] for item in shown["restore_points"]] == [
        *("2026-01-03T03:00:41Z", "2026-01-02T03:00:41Z")
    ]
    points = "2026-01-03 03:00 , 953.7 MiB, notes: standby 2026-01-02 03:00 , 953.7 MiB"
    restorable = "up to 2026-01-03 03:00 stored, and not read since notes: standby last 2 good runs"
    assert cell(found, "demo/db", "Backups") == f"{restorable} {points}"
    (line,) = found.rows
    assert line["Stored"].pictures == [
        "sizes of the last 2 good runs, from 953.7 MiB to 953.7 MiB, at most 953.7 MiB; 1 failed"
    ]
    assert line["Duration"].pictures[0].startswith("durations of the last 2 good runs, from 41 s")


def test_what_can_be_restored_and_what_was_proven_is_shown() -> None:
    world = one()
    ran(world.api, past(3))
    annotations = world.api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    told = json.loads(annotations[names.LAST_SUCCESS])
    told |= {"record": "ksnapshot/manifests/c/j/20260103T025900Z-3f9c/"}
    told |= {"oldest_backup": "2025-12-01T00:00:00Z", "backups": 7}
    annotations[names.LAST_SUCCESS] = json.dumps(told)
    proof = {"job": "verify", "finished": "2026-01-03T05:00:00Z", "good": False}
    proof |= {"backup": "3f9c", "began": "2026-01-03T02:59:00Z"}
    annotations[names.LAST_PROOF] = json.dumps(proof)
    world.passed(2 * DAY + 301)
    shown = cell(world.read(), "demo/db", "Backups")
    assert shown.startswith("7 backups, from 2025-12-01 00:00 to 2026-01-03 02:59 ")
    assert "found DAMAGED 2026-01-03 05:00" in shown


def test_a_verification_by_schedule_that_failed_says_why_and_what_to_do() -> None:
    world = one(asks(verify_schedule="0 6 * * 0"))
    ran(world.api, past(3))
    cronjob = world.api.items["CronJob", CONTROL, DB]
    told = {"job": "check-1", "finished": "2026-01-03T06:10:00Z", "succeeded": False}
    told |= {"reason": "BackupDamaged", "message": "77aa is damaged"}
    cronjob["metadata"]["annotations"][names.LAST_VERIFY] = json.dumps(told)
    world.api.put(cronjob)
    world.passed(2 * DAY + 301)
    assert cell(world.read(), "demo/db", "State") == Level.ODD
    shown = cell(world.read(), "demo/db", "Backups")
    assert "verification failed 2026-01-03 06:10 BackupDamaged: 77aa is damaged To do: res" in shown
    good = told | {"succeeded": True, "reason": "Succeeded", "message": ""}
    cronjob["metadata"]["annotations"][names.LAST_VERIFY] = json.dumps(good)
    world.api.put(cronjob)
    world.passed(2 * DAY + 302)
    assert cell(world.read(), "demo/db", "State") == Level.GOOD
    assert "verification" not in cell(world.read(), "demo/db", "Backups")


_DRILLED = {"job": "d", "finished": "2026-01-03T07:10:00Z", "message": "so it is"}
_DIFFERS = _DRILLED | {"outcome": "failed", "reason": "DrillDiffers"}
_AWAY = _DRILLED | {"outcome": "failed", "reason": "StorageFailed"}
_DOUBTED = {"in_doubt": True, "doubted": "77aa"}


_AGAINST = (
    "drill failed 2026-01-03 07:10 DrillDiffers: so it is To do: drill it once more by"
    " ksnapshot drill , and another one, which to restore from until then; the record of"
    " the drill says what differs in doubt: the backup 77aa did not"
)


@pytest.mark.parametrize(
    ("last", "level", "said"),
    [
        (
            _DRILLED | {"outcome": "passed", "reason": "Succeeded", "seconds": 61.0},
            Level.GOOD,
            "restored and compared in 1 min",
        ),
        (
            _DRILLED | {"outcome": "not-drillable", "reason": "NotDrillable"},
            Level.GOOD,
            "not drillable 2026-01-03 07:10 NotDrillable: so it is To do: see the message",
        ),
        (_DIFFERS | _DOUBTED, Level.ODD, _AGAINST),
        # It concerns who asked for it.
        (_AWAY, Level.GOOD, "drill failed 2026-01-03 07:10 StorageFailed: so it is To do: see the"),
        (_AWAY | _DOUBTED, Level.ODD, "in doubt: the backup 77aa did not"),
    ],
)
def test_how_a_drill_ended_is_shown(last: dict[str, Any], level: Level, said: str) -> None:
    world = one()
    ran(world.api, past(3))
    cronjob = world.api.items["CronJob", CONTROL, DB]
    cronjob["metadata"]["annotations"][names.LAST_DRILL] = json.dumps(last)
    world.api.put(cronjob)
    world.passed(2 * DAY + 301)
    assert cell(world.read(), "demo/db", "State") == level
    assert said in cell(world.read(), "demo/db", "Backups")


@pytest.mark.parametrize(
    ("schedule", "last", "is_problem"),
    [
        ("0 7 * * 0", _AWAY, True),
        ("", _AWAY, False),
        ("", _DIFFERS, True),
        ("", _AWAY | _DOUBTED, True),
        ("0 7 * * 0", _DRILLED | {"outcome": "not-drillable"}, False),
        ("0 7 * * 0", {}, False),
    ],
)
def test_which_drills_ask_for_a_look(
    schedule: str, last: dict[str, Any], *, is_problem: bool
) -> None:
    annotations = {names.DRILL_SCHEDULE: schedule} if schedule else {}
    annotations |= {names.LAST_DRILL: json.dumps(last)} if last else {}
    found = drill_member({"metadata": {"annotations": annotations}})
    assert found["drill"]["problem"] is is_problem


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        ({"good": True, "grade": "drilled"}, "drilled 2026-01-03 05:00"),
        ({"good": True, "grade": "verified"}, "verified 2026-01-03 05:00"),
        # An older controller wrote no grade.
        ({"good": True}, "verified 2026-01-03 05:00"),
        ({"good": False, "grade": "drilled"}, "found to DIFFER 2026-01-03 05:00"),
        ({"good": False}, "found DAMAGED 2026-01-03 05:00"),
    ],
)
def test_a_proof_is_shown_by_its_grade(proof: dict[str, Any], said: str) -> None:
    world = one()
    ran(world.api, past(3))
    annotations = world.api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    told = {"job": "p", "finished": "2026-01-03T05:00:00Z", "backup": "3f9c"} | proof
    annotations[names.LAST_PROOF] = json.dumps(told)
    world.passed(2 * DAY + 301)
    assert said in cell(world.read(), "demo/db", "Backups")


def test_a_failed_run_says_why_and_what_to_do() -> None:
    world = one()
    ran(world.api, past(3, good=False), past(2), message="login refused")
    world.passed(2 * DAY + 300)
    assert cell(world.read(), "demo/db", "State") == Level.FAILED
    assert cell(world.read(), "demo/db", "Last run") == (
        "failed 2026-01-03 03:00 SourceRefused: login refused To do: correct the login,"
        " database name or rights: the message says which last good one 2026-01-02 03:00"
    )


def test_a_partial_run_says_where_the_backup_is_not() -> None:
    world = one()
    ran(world.api, past(2) | {"reason": "Partial"}, past(1), message="not in offsite: away")
    world.passed(DAY + 300)
    assert cell(world.read(), "demo/db", "State") == Level.ODD
    assert cell(world.read(), "demo/db", "Last run") == (
        "partial 2026-01-02 03:00 not in offsite: away"
    )
    ran(world.api, past(3), past(2) | {"reason": "Partial"})
    world.passed(2 * DAY + 300)
    assert cell(world.read(), "demo/db", "State") == Level.GOOD


def test_a_rejected_workload_says_why_and_what_to_do() -> None:
    world = one(asks(schedule="never"))
    shown = cell(world.read(), "demo/db", "State")
    assert shown.startswith("not backed up ScheduleInvalid since 2026-01-01 00:00 the annotation")
    assert shown.endswith("To do: correct the annotation schedule")


@pytest.mark.parametrize(
    ("runs", "minutes", "level"),
    [
        ([], 1, Level.NEW),
        ([past(1)], 300, Level.GOOD),
        # Due: the run of the 2nd, its four hours, five minutes and one pause.
        ([past(1)], DAY + 3 * 60 + 4 * 60 + 5, Level.GOOD),
        ([past(1)], DAY + 3 * 60 + 4 * 60 + 7, Level.OVERDUE),
        ([], 3 * DAY, Level.OVERDUE),
        ([past(2, good=False), past(1)], DAY + 300, Level.FAILED),
        ([past(3, good=False), past(1)], 3 * DAY, Level.OVERDUE),
        ([past(5, size=400), *(past(day, size=1000) for day in (4, 3, 2, 1))], 5 * DAY, Level.ODD),
    ],
)
def test_how_well_a_workload_is_by_its_runs(runs: list[Any], minutes: int, level: Level) -> None:
    world = one()
    world.api.items["CronJob", CONTROL, DB]["metadata"]["creationTimestamp"] = (
        "2026-01-01T00:00:00Z"
    )
    if runs:
        ran(world.api, *runs)
    else:
        world.api.put(world.api.items["CronJob", CONTROL, DB])
    world.passed(minutes)
    assert cell(world.read(), "demo/db", "State").startswith(level)


def test_how_well_a_workload_is_by_its_state() -> None:
    paused = one(asks(suspend="true"))
    assert cell(paused.read(), "demo/db", "State").startswith("suspended Suspended since")
    assert cell(paused.read(), "demo/db", "Next run") == "none 0 3 * * * Etc/UTC"
    broken = one()
    broken.api.remove("Service", "demo", "db")
    broken.passed(1)
    assert cell(broken.read(), "demo/db", "State").startswith("needs a look ServiceMissing since")
    for kind, name in (("StatefulSet", "db"), ("Pod", "db-0")):
        broken.api.remove(kind, "demo", name)
    broken.passed(2)
    assert cell(broken.read(), "demo/db", "State").startswith("leaving")


def test_the_next_run_is_never_one_that_has_passed() -> None:
    world = one()
    world.passed(5 * 60)
    assert row(world.api, "demo")["next"] == "2026-01-01T03:00:00Z", "a board changes by no time"
    assert cell(world.read(), "demo/db", "Next run").startswith("2026-01-02 03:00")


def test_without_boards_and_in_the_control_namespace_it_shows_the_same() -> None:
    for world in (
        World(*small(), BOARDS="false"),
        World(*small(space=CONTROL)[1:], watched=(CONTROL,)),
    ):
        world.passed()
        (line,) = world.read().rows
        assert line["State"].text == Level.NEW
        assert line["Next run"].text.startswith("2026-01-01 03:00")


def test_without_boards_what_is_not_well_is_shown_with_its_runs() -> None:
    world = World(*small(), BOARDS="false")
    world.passed()
    ran(world.api, past(1))
    world.api.remove("Service", "demo", "db")
    for minutes in (200, 201):
        world.passed(minutes)
        shown = world.read()
        assert cell(shown, "demo/db", "State").startswith("needs a look ServiceMissing since")
        assert cell(shown, "demo/db", "Last run") == "good 2026-01-01 03:00"
        assert cell(shown, "demo/db", "Next run").startswith("2026-01-02 03:00")


@pytest.mark.parametrize("boards", ["true", "false"])
def test_what_a_failed_read_hides_stays_as_it_was(boards: str) -> None:
    world = World(*small(asks(schedule="never")), BOARDS=boards)
    world.passed()
    before = cell(world.read(), "demo/db", "State")
    world.api.fail("Pod", "demo")
    world.passed(1)
    assert b"00:01" in world.page.answer("/").body, "it is of this pass"
    assert cell(world.read(), "demo/db", "State") == before
    # And without the CronJobs nothing is known of anything.
    world.api.fail("CronJob", CONTROL)
    world.passed(2)
    assert b"00:01" in world.page.answer("/").body


def test_hostile_names_and_messages_stay_text() -> None:
    world = one()
    ran(world.api, past(3, good=False), past(2, notes=[HOSTILE[:60]]), message=HOSTILE)
    annotations = world.api.items["CronJob", CONTROL, DB]["metadata"]["annotations"]
    annotations[names.LAST_RESULT] = json.dumps(
        json.loads(annotations[names.LAST_RESULT]) | {"reason": HOSTILE[:60], "notes": [HOSTILE]}
    )
    world.passed(2 * DAY + 300)
    plain = {tag for tag, _ in one().read().tags} | {"svg", "polyline", "path", "details"}
    hostile = world.read()
    assert {tag for tag, _ in hostile.tags} <= plain | {"summary", "ul", "li", "code"}
    assert "alert(1)" in cell(hostile, "demo/db", "Last run"), "it is shown, as text"
    for target in ("/", "/namespaces/demo"):
        page = world.page.answer(target).body
        assert b"<script" not in page
        assert b"onerror=alert(2)&gt;" in page
        assert b"\xe2\x80\xae" not in page, "nothing turns the direction of what follows"
        assert all(not name.startswith("on") for _, given in read(page).tags for name in given)


def many(namespaces: int, each: int, level: Level = Level.REJECTED) -> Findings:
    """Workloads with as much to say as there may be."""
    subjects: dict[RowKey, Subject] = {}
    state = WorkloadStatus(state=State.UNKNOWN, reason=Reason.SERVICE_MISSING, message="m" * 5000)
    if level is Level.PAUSED:
        state = WorkloadStatus(state=State.WANTED, reason=Reason.SUSPENDED, message="paused")
    history = json.dumps([past(day % 28 + 1, notes=["standby"] * 16) for day in range(30)])
    for place in range(namespaces):
        for number in range(each):
            name = f"shop-{place:04}/db-{number:04}"
            called = f"c-{place}-{number}"
            meta = {"name": called, "creationTimestamp": "2026-01-01T00:00:00Z"}
            body: dict[str, Any] = {"metadata": meta | {"annotations": {names.HISTORY: history}}}
            body["spec"] = {"schedule": "0 3 * * *", "suspend": True}
            cronjob = body if level is Level.PAUSED else None
            subjects[name, "StatefulSet", called if cronjob else ""] = Subject(
                state, cronjob, asked=Asked("mysql", "0 3 * * *", "Etc/UTC")
            )
    return Findings(now=NOW, subjects=subjects, known={}, status={})


def page_of(findings: Findings) -> StatusPage:
    page = StatusPage(settings(), NOW.timestamp)
    page.update(findings)
    return page


@pytest.mark.parametrize(
    ("namespaces", "each", "level"),
    [(1, 2000, Level.PAUSED), (40, 50, Level.REJECTED), (2000, 1, Level.REJECTED)],
)
def test_two_thousand_workloads_are_pages_of_bounded_size(
    namespaces: int, each: int, level: Level
) -> None:
    page = page_of(many(namespaces, each, level))
    front = page.answer("/").body
    assert len(front) < 1_000_000
    found = read(front)
    assert len(found.rows) == (100 if level is Level.REJECTED else 0)
    assert ("1900 more" in front.decode()) is (level is Level.REJECTED)
    assert len(found.links) == namespaces
    assert found.links[0] == "namespaces/shop-0000"
    seen: set[str] = set()
    targets = ["/namespaces/shop-0000"]
    for target in targets:
        body = page.answer(target).body
        assert len(body) < 1_000_000
        part = read(body)
        seen |= {line["Workload"].text.split()[0] for line in part.rows}
        links = [f"/namespaces/{link}" for link in part.links if link != "../"]
        targets += [link for link in links if link not in targets]
    assert len(seen) == each
    assert len(targets) == max(each // 100, 1)


def test_a_hundred_workloads_are_one_page() -> None:
    page = page_of(many(4, 25))
    found = read(page.answer("/").body)
    assert (len(found.rows), found.links) == (100, [])


@pytest.mark.parametrize(
    "target",
    [
        *("/x", "/namespaces", "/namespaces/", "/namespaces/other", "/namespaces/shop-0000/"),
        *("/namespaces/shop-0000?part=0", "/namespaces/shop-0000?part=3", "/favicon.ico", "//["),
        *("/namespaces/shop-0000?part=x", "/namespaces/shop-0000?part=" + "9" * 5000, ""),
        *("/namespaces/%3Cscript%3E", "/namespaces/../", "*"),
    ],
)
def test_what_is_not_there_is_not_found(target: str) -> None:
    answer = page_of(many(1, 150)).answer(target)
    assert answer.status is HTTPStatus.NOT_FOUND
    assert b"<script" not in answer.body
    assert read(answer.body).rows == []


def test_nothing_is_made_unasked_and_everything_once_a_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def counting(name: str) -> Any:
        real = getattr(status_page, name)

        def call(*given: Any) -> Any:
            made.append(name)
            return real(*given)

        return call

    for name in ("entries_of", "front_page", "namespace_page"):
        monkeypatch.setattr(status_page, name, counting(name))
    world = one()
    world.passed(1)
    assert made == []
    assert world.page.answer("/") == world.page.answer("/")
    world.page.answer("/namespaces/demo")
    world.page.answer("/namespaces/demo?part=1")
    assert made == ["entries_of", "front_page", "namespace_page"]
    world.passed(2)
    world.page.answer("/")
    assert made[3:] == ["entries_of", "front_page"]


def test_an_old_page_says_so() -> None:
    world = one()
    assert b"This is old" not in world.page.answer("/").body
    # Three intervals and as many API timeouts.
    world.now = NOW + timedelta(seconds=270)
    assert b"This is old" not in world.page.answer("/").body
    world.now = NOW + timedelta(seconds=271)
    for target in ("/", "/namespaces/demo"):
        assert b"This is old: no pass over the cluster has ended well for 4 min or longer." in (
            world.page.answer(target).body
        )
    world.passed(10)
    assert b"This is old" not in world.page.answer("/").body


@pytest.mark.parametrize(
    ("prune", "shown"),
    [
        (None, None),
        (
            {"outcome": "succeeded", "finished": "2026-01-01T04:17:00Z", "deleted": 1},
            "1 backup deleted",
        ),
        (
            {"outcome": "succeeded", "finished": "2026-01-01T04:17:00Z", "held_back": 2},
            "2 backups held back",
        ),
        (
            {"outcome": "failed", "finished": "x", "reason": "StorageRefused", "message": "<b>"},
            "StorageRefused: &lt;b&gt;",
        ),
    ],
)
def test_the_front_page_says_how_the_last_prune_ended(
    prune: dict[str, Any] | None, shown: str | None
) -> None:
    findings = Findings(now=NOW, subjects={}, known={}, status={}, prune=prune)
    body = page_of(findings).answer("/").body.decode()
    assert ("last prune" in body) == (prune is not None)
    assert shown is None or shown in body
