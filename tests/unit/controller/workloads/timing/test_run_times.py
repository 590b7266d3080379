from datetime import datetime

import pytest

from controller.workloads.timing.run_times import next_run


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "following"),
    [
        ("0 3 * * *", "Etc/UTC", "2026-01-01T03:00:00+00:00", "2026-01-02T03:00:00+00:00"),
        ("0 3 * * *", "Europe/Paris", "2026-01-01T03:00:00+00:00", "2026-01-02T03:00:00+01:00"),
        ("@hourly", "Etc/UTC", "2026-01-01T03:10:00+00:00", "2026-01-01T04:00:00+00:00"),
        ("? ? ? ? ?", "Etc/UTC", "2026-01-01T03:10:00+00:00", "2026-01-01T03:11:00+00:00"),
        # Both days restricted: either counts. 2026-01-04 is the first Sunday.
        ("0 0 13 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        # A star with a step restricts in robfig/cron, a plain one does not.
        ("0 0 */20 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        ("0 0 */1 * sun", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-04T00:00:00+00:00"),
        ("@every 90m", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-01T01:30:00+00:00"),
        ("0 0 31 2 *", "Etc/UTC", "2026-01-01T00:00:00+00:00", None),
        (", * * * *", "Etc/UTC", "2026-01-01T00:00:00+00:00", None),
        # A field of commas has no value; beside a restricted weekday, that one counts.
        ("0 0 , * 1", "Etc/UTC", "2026-01-01T00:00:00+00:00", "2026-01-05T00:00:00+00:00"),
        # The hour that is lost, and the one that comes twice.
        ("30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00+00:00", "2026-03-30T02:30:00+02:00"),
        ("30 2 * * *", "Europe/Paris", "2026-10-25T00:00:00+00:00", "2026-10-25T02:30:00+02:00"),
        ("30 2 * * *", "Europe/Paris", "2026-10-25T00:30:00+00:00", "2026-10-25T02:30:00+01:00"),
    ],
)
def test_the_next_run(schedule: str, zone: str, now: str, following: str | None) -> None:
    found = next_run(schedule, zone, datetime.fromisoformat(now))
    # Moments of a doubled hour equal no moment of another zone; they are compared as they are told.
    assert (found.isoformat() if found else None) == following
