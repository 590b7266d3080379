from datetime import UTC, datetime

import pytest

from controller.client.restore.moments import parse_moment

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-28T03:00:00Z", "2026-02-28T03:00:00+00:00"),
        ("2026-02-28T03:00:00+02:00", "2026-02-28T01:00:00+00:00"),
        ("2026-02-28 03:00", "2026-02-28T03:00:00+00:00"),
        ("20260228T030000Z", "2026-02-28T03:00:00+00:00"),
        # The newest backup of that day is meant.
        ("2026-02-28", "2026-02-28T23:59:59+00:00"),
        ("20260228", "2026-02-28T23:59:59+00:00"),
        ("yesterday", "2026-02-28T23:59:59+00:00"),
        ("now", "2026-03-01T12:30:00+00:00"),
        ("5 minutes ago", "2026-03-01T12:25:00+00:00"),
        ("1 minute ago", "2026-03-01T12:29:00+00:00"),
        ("90s ago", "2026-03-01T12:28:30+00:00"),
        ("15 min ago", "2026-03-01T12:15:00+00:00"),
        ("2h ago", "2026-03-01T10:30:00+00:00"),
        ("  3   days  ago ", "2026-02-26T12:30:00+00:00"),
        ("2 Weeks ago", "2026-02-15T12:30:00+00:00"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    assert parse_moment(text, NOW).isoformat() == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "5 fortnights ago", "2026-02-30", "25:00", "ago", "999999 weeks ago"]
)
def test_what_is_no_moment_names_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="5 minutes ago"):
        parse_moment(text, NOW)
