"""The line of the last prune."""

from datetime import UTC, datetime
from typing import Any

import pytest

from controller.client.cluster.known import parse_status
from controller.client.status.prune import prune_line

_NOW = datetime(2026, 1, 2, 6, tzinfo=UTC)
_GOOD = {"outcome": "succeeded", "finished": "2026-01-02T04:00:00Z", "message": ""}


@pytest.mark.parametrize(
    ("prune", "line"),
    [
        (_GOOD, "prune: succeeded 2 h ago"),
        (
            _GOOD | {"deleted": 4, "freed_bytes": 2048, "held_back": 0, "shrunk": 1},
            (
                "prune: succeeded 2 h ago: 4 backups deleted (2.0 KiB),"
                " 1 much smaller than the ones before (ksnapshot accept)"
            ),
        ),
        (
            {"outcome": "failed", "finished": _GOOD["finished"], "message": "no", "reason": "X"},
            "prune: failed 2 h ago (X): no; none is known to be good",
        ),
        (
            {
                "outcome": "failed",
                "finished": _GOOD["finished"],
                "message": "no",
                "reason": "X",
                "last_success": "2026-01-02T03:00:00Z",
            },
            "prune: failed 2 h ago (X): no; the last good one was 3 h ago",
        ),
    ],
)
def test_the_last_prune_in_one_line(prune: dict[str, Any], line: str) -> None:
    assert prune_line(prune, _NOW) == line


def test_a_status_without_a_prune_or_with_a_broken_one_is_read() -> None:
    assert parse_status('{"version": 1, "workloads": []}').prune is None
    known = parse_status('{"version": 1, "workloads": [], "prune": {"outcome": "failed"}}')
    assert known.prune == {"outcome": "failed"}
    assert parse_status('{"version": 1, "workloads": [], "prune": 7}').fault
