"""The rule of overdue runs over the calendar, beside a rule that takes 25 hours for everything."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.model import names
from controller.runs.due import due_at, overdue_message, suspended_since

_HOUR = 3600
_DAY = "0 3 * * *"
_UTC = "Etc/UTC"
_PARIS, _NEW_YORK = "Europe/Paris", "America/New_York"


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}Z").astimezone(UTC).timestamp())


def _stamp(text: str) -> str:
    return f"{text}:00Z" if text else ""


def _cronjob(schedule: str, zone: str, last: str, **extra: Any) -> dict[str, Any]:
    annotations = {}
    if last:
        annotations[names.LAST_SUCCESS] = json.dumps({"finished": _stamp(last), "job": "run"})
    if since := extra.get("in_force"):
        annotations[names.SCHEDULED_SINCE] = _stamp(since)
    spec: dict[str, Any] = {"schedule": schedule, "timeZone": zone}
    spec["jobTemplate"] = {"spec": {"activeDeadlineSeconds": extra.get("deadline", 4 * _HOUR)}}
    if "starting" in extra:
        spec["startingDeadlineSeconds"] = extra["starting"]
    if extra.get("suspended"):
        spec["suspend"] = True
    status = {"lastScheduleTime": _stamp(extra.get("scheduled", ""))}
    status["lastSuccessfulTime"] = _stamp(extra.get("kubernetes", ""))
    created = _stamp(extra.get("created", "2020-01-01T00:00"))
    meta = {"name": "x", "creationTimestamp": created, "annotations": annotations}
    return {"metadata": meta, "spec": spec, "status": status}


_SHORT: dict[str, Any] = {"deadline": _HOUR}
_NEW: dict[str, Any] = {"created": "2026-01-01T00:00"}
_NEWER: dict[str, Any] = {"created": "2026-01-02T00:00"}
_OLD: dict[str, Any] = {"kubernetes": "2026-01-02T03:10"}
_EVERY_36: dict[str, Any] = {"scheduled": "2026-01-02T12:00"}
_EVERY_90: dict[str, Any] = {"scheduled": "2026-01-01T09:00", "deadline": 1800}
_EVERY_90_LATER: dict[str, Any] = {"scheduled": "2026-01-01T12:00", "deadline": 1800}
_RESUMED: dict[str, Any] = {"in_force": "2026-06-01T10:00"}
_CHANGED: dict[str, Any] = {"in_force": "2026-01-20T10:30", "deadline": _HOUR}

# Schedule, zone, last success (empty: never), now, whether it is overdue, what 25 hours would say.
_CASES: list[tuple[str, str, str, str, bool, bool, dict[str, Any]]] = [
    # Daily: 03:00, four hours for the run, five minutes until everybody knows.
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-02T12:00", False, False, {}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T07:04", False, True, {}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T07:06", True, True, {}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-04T07:06", True, True, {}),
    (_DAY, _UTC, "2026-01-02T06:59", "2026-01-03T07:04", False, False, {}),
    (_DAY, _UTC, "2026-01-02T06:59", "2026-01-03T07:30", True, False, {}),
    (_DAY, _UTC, "2026-01-03T03:00", "2026-01-03T12:00", False, False, {}),
    # One made by hand in the afternoon is no excuse for the next night.
    (_DAY, _UTC, "2026-01-02T14:00", "2026-01-03T07:04", False, False, {}),
    (_DAY, _UTC, "2026-01-02T14:00", "2026-01-03T07:06", True, False, {}),
    # A clock that is ahead of ours.
    (_DAY, _UTC, "2026-01-03T03:10", "2026-01-03T03:02", False, False, {}),
    # Never succeeded.
    (_DAY, _UTC, "", "2026-01-01T02:00", False, False, _NEW),
    (_DAY, _UTC, "", "2026-01-01T07:04", False, False, _NEW),
    (_DAY, _UTC, "", "2026-01-01T07:06", True, False, _NEW),
    (_DAY, _UTC, "", "2026-01-20T00:00", True, False, _NEW),
    ("0 0 1 1 *", _UTC, "", "2026-12-31T00:00", False, False, _NEWER),
    ("0 0 30 2 *", _UTC, "", "2030-01-01T00:00", False, False, _NEWER),
    # What 0.6.0 made, of whose runs only Kubernetes knows.
    (_DAY, _UTC, "", "2026-01-03T07:04", False, False, _OLD),
    (_DAY, _UTC, "", "2026-01-03T07:06", True, False, _OLD),
    # More often than daily.
    ("0 * * * *", _UTC, "2026-01-02T10:05", "2026-01-02T12:04", False, False, _SHORT),
    ("0 * * * *", _UTC, "2026-01-02T10:05", "2026-01-02T12:06", True, False, _SHORT),
    ("0 * * * *", _UTC, "2026-01-02T10:05", "2026-01-03T11:06", True, True, _SHORT),
    ("0 * * * *", _UTC, "2026-01-02T10:05", "2026-01-02T15:04", False, False, {}),
    ("0 * * * *", _UTC, "2026-01-02T10:05", "2026-01-02T15:06", True, False, {}),
    ("*/5 * * * *", _UTC, "2026-01-02T10:01", "2026-01-02T10:14", False, False, {"deadline": 300}),
    ("*/5 * * * *", _UTC, "2026-01-02T10:01", "2026-01-02T10:16", True, False, {"deadline": 300}),
    ("0 0,12 * * *", _UTC, "2026-01-02T00:10", "2026-01-02T16:04", False, False, {}),
    ("0 0,12 * * *", _UTC, "2026-01-02T00:10", "2026-01-02T16:06", True, False, {}),
    # Weekly, on working days. The fourth of January is a Sunday.
    ("0 4 * * sun", _UTC, "2026-01-04T04:20", "2026-01-08T00:00", False, True, {}),
    ("0 4 * * sun", _UTC, "2026-01-04T04:20", "2026-01-11T08:04", False, True, {}),
    ("0 4 * * sun", _UTC, "2026-01-04T04:20", "2026-01-11T08:06", True, True, {}),
    ("@weekly", _UTC, "2026-01-04T00:20", "2026-01-10T23:00", False, True, {}),
    ("0 22 * * mon-fri", _UTC, "2026-01-02T22:30", "2026-01-04T12:00", False, True, {}),
    ("0 22 * * mon-fri", _UTC, "2026-01-02T22:30", "2026-01-06T02:04", False, True, {}),
    ("0 22 * * mon-fri", _UTC, "2026-01-02T22:30", "2026-01-06T02:06", True, True, {}),
    ("0 22 * * mon-fri", _UTC, "2026-01-05T22:30", "2026-01-07T02:06", True, True, {}),
    # By the month: its end, a day that February lacks, a leap day, quarters, the year.
    ("0 0 1 * *", _UTC, "2026-01-01T00:30", "2026-01-31T23:00", False, True, {}),
    ("0 0 1 * *", _UTC, "2026-01-01T00:30", "2026-02-01T04:06", True, True, {}),
    ("0 0 31 * *", _UTC, "2026-01-31T00:10", "2026-03-01T12:00", False, True, {}),
    ("0 0 31 * *", _UTC, "2026-01-31T00:10", "2026-03-31T04:04", False, True, {}),
    ("0 0 31 * *", _UTC, "2026-01-31T00:10", "2026-03-31T04:06", True, True, {}),
    ("0 0 29 2 *", _UTC, "2024-02-29T00:10", "2027-12-31T00:00", False, True, {}),
    ("0 0 29 2 *", _UTC, "2024-02-29T00:10", "2028-02-29T04:06", True, True, {}),
    ("0 0 13 * fri", _UTC, "2026-02-06T00:10", "2026-02-12T12:00", False, True, {}),
    ("0 0 13 * fri", _UTC, "2026-02-06T00:10", "2026-02-13T04:06", True, True, {}),
    ("0 0 */2 * *", _UTC, "2026-01-29T00:10", "2026-01-31T04:04", False, True, {}),
    ("0 0 */2 * *", _UTC, "2026-01-31T00:10", "2026-02-01T04:06", True, True, {}),
    ("0 0 1 */3 *", _UTC, "2026-01-01T00:10", "2026-03-31T12:00", False, True, {}),
    ("0 0 1 */3 *", _UTC, "2026-01-01T00:10", "2026-04-01T04:06", True, True, {}),
    ("@yearly", _UTC, "2026-01-01T00:10", "2026-12-31T12:00", False, True, {}),
    ("@yearly", _UTC, "2026-01-01T00:10", "2027-01-01T04:06", True, True, {}),
    # `@every` counts from the CronJob's own runs, also from later ones that failed.
    ("@every 36h", _UTC, "2026-01-02T12:10", "2026-01-04T04:04", False, True, _EVERY_36),
    ("@every 36h", _UTC, "2026-01-02T12:10", "2026-01-04T04:06", True, True, _EVERY_36),
    ("@every 90m", _UTC, "2026-01-01T09:05", "2026-01-01T11:04", False, False, _EVERY_90),
    ("@every 90m", _UTC, "2026-01-01T09:05", "2026-01-01T11:06", True, False, _EVERY_90),
    ("@every 90m", _UTC, "2026-01-01T09:05", "2026-01-01T11:06", True, False, _EVERY_90_LATER),
    ("@every 24h", _UTC, "", "2026-01-02T04:04", False, False, _NEW),
    ("@every 24h", _UTC, "", "2026-01-02T04:06", True, False, _NEW),
    # Clocks go forward: half past two does not come, and no run begins that day.
    ("30 2 * * *", _PARIS, "2026-03-28T01:31", "2026-03-29T12:00", False, True, {}),
    ("30 2 * * *", _PARIS, "2026-03-28T01:31", "2026-03-30T04:34", False, True, {}),
    ("30 2 * * *", _PARIS, "2026-03-28T01:31", "2026-03-30T04:36", True, True, {}),
    ("0 3 * * *", _PARIS, "2026-03-28T02:10", "2026-03-29T05:04", False, True, {}),
    ("0 3 * * *", _PARIS, "2026-03-28T02:10", "2026-03-29T05:06", True, True, {}),
    ("30 2 * * *", _NEW_YORK, "2026-03-07T07:31", "2026-03-08T18:00", False, True, {}),
    ("30 2 * * *", _NEW_YORK, "2026-03-07T07:31", "2026-03-09T10:36", True, True, {}),
    # Clocks go back: half past two comes twice, and so do the runs.
    ("30 2 * * *", _PARIS, "2026-10-25T00:40", "2026-10-25T05:34", False, False, {}),
    ("30 2 * * *", _PARIS, "2026-10-25T00:40", "2026-10-25T05:36", True, False, {}),
    ("30 2 * * *", _PARIS, "2026-10-25T01:40", "2026-10-26T05:34", False, True, {}),
    ("0 3 * * *", _PARIS, "2026-10-24T01:10", "2026-10-25T06:04", False, True, {}),
    ("0 3 * * *", _PARIS, "2026-10-24T01:10", "2026-10-25T06:06", True, True, {}),
    ("30 1 * * *", _NEW_YORK, "2026-11-01T06:40", "2026-11-02T10:34", False, True, {}),
    ("30 1 * * *", _NEW_YORK, "2026-11-01T06:40", "2026-11-02T10:36", True, True, {}),
    # A zone of half an hour, and the other side of the date line.
    (_DAY, "Asia/Kolkata", "2026-01-01T21:40", "2026-01-03T01:34", False, True, {}),
    (_DAY, "Asia/Kolkata", "2026-01-01T21:40", "2026-01-03T01:36", True, True, {}),
    ("0 3 1 * *", "Pacific/Kiritimati", "2025-12-31T13:10", "2026-01-31T17:04", False, True, {}),
    ("0 3 1 * *", "Pacific/Kiritimati", "2025-12-31T13:10", "2026-01-31T17:06", True, True, {}),
    # A pause, its end, and a schedule that was changed.
    (_DAY, _UTC, "2026-01-02T03:10", "2026-06-01T00:00", False, True, {"suspended": True}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-06-02T07:04", False, True, _RESUMED),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-06-02T07:06", True, True, _RESUMED),
    ("0 * * * *", _UTC, "2026-01-01T00:30", "2026-01-20T12:04", False, True, _CHANGED),
    ("0 * * * *", _UTC, "2026-01-01T00:30", "2026-01-20T12:06", True, True, _CHANGED),
    (_DAY, _UTC, "2026-06-02T03:10", "2026-06-03T07:04", False, True, _RESUMED),
    # Deadlines of the CronJob and of its Jobs.
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T09:04", False, True, {"starting": 7200}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T09:06", True, True, {"starting": 7200}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T15:04", False, True, {"deadline": 12 * _HOUR}),
    (_DAY, _UTC, "2026-01-02T03:10", "2026-01-03T15:06", True, True, {"deadline": 12 * _HOUR}),
    (_DAY, _UTC, "2026-01-02T03:01", "2026-01-03T03:10", True, False, {"deadline": 60}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "zone", "last", "now", "overdue", "fixed", "extra"),
    _CASES,
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_a_run_is_overdue_exactly_when_it_should_have_been_there(
    schedule: str,
    zone: str,
    last: str,
    now: str,
    *,
    overdue: bool,
    fixed: bool,
    extra: dict[str, Any],
) -> None:
    found = due_at(_cronjob(schedule, zone, last, **extra))
    assert (found is not None and _moment(now) > found) is overdue
    assert (bool(last) and _moment(now) - _moment(last) > 25 * _HOUR) is fixed


def test_a_rule_of_25_hours_is_wrong_about_most_of_them() -> None:
    false = sum(fixed and not overdue for *_, overdue, fixed, _ in _CASES)
    missed = sum(overdue and not fixed for *_, overdue, fixed, _ in _CASES)
    assert len(_CASES) >= 60
    assert (false, missed) == (30, 14)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schedule", "nonsense"),
        ("schedule", ""),
        ("timeZone", "Europe/Atlantis"),
        ("startingDeadlineSeconds", 10**30),
        ("startingDeadlineSeconds", "soon"),
        ("jobTemplate", None),
    ],
)
def test_a_cronjob_that_was_broken_raises_nothing(path: str, value: object) -> None:
    cronjob = _cronjob(_DAY, "Etc/UTC", "2026-01-02T03:10")
    cronjob["spec"][path] = value
    due_at(cronjob)


@pytest.mark.parametrize(
    ("last", "now", "said"),
    [
        ("2026-01-02T03:10", "2026-01-03T07:05", ""),
        ("2026-01-02T03:10", "2026-01-03T07:06", "the last one ended 2026-01-02T03:10:00Z"),
        ("", "2026-01-03T07:06", "there is none yet"),
    ],
)
def test_what_is_said_of_an_overdue_run(last: str, now: str, said: str) -> None:
    at = datetime.fromtimestamp(_moment(now), UTC)
    cronjob = _cronjob(_DAY, _UTC, last)
    message = overdue_message(cronjob, due_at(cronjob), at)
    assert message.endswith(said)
    assert bool(message) is bool(said)


def test_marks_that_were_edited_count_for_nothing() -> None:
    cronjob = _cronjob(_DAY, "Etc/UTC", "2026-01-02T03:10")
    plain = due_at(cronjob)
    cronjob["metadata"]["annotations"][names.SCHEDULED_SINCE] = "yesterday"
    assert due_at(cronjob) == plain
    cronjob["spec"]["suspend"] = True
    for text, since in (("2026-01-05T00:00:00Z", 1767571200), ("2026", None), ("", None)):
        cronjob["metadata"]["annotations"][names.SUSPENDED_SINCE] = text
        assert suspended_since(cronjob) == since
