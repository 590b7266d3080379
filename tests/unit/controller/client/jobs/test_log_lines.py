import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.client.jobs.log_lines import (
    describe_line,
    describe_progress,
    estimate_in,
    parse_line,
)

GIB = 1 << 30
PROGRESS: dict[str, Any] = {
    "time": "2026-01-01T03:00:00.123Z",
    "level": "info",
    "message": "progress",
    "name": "shop.a, shop.b",
    "done": 3,
    "total": 40,
    "bytes_read": GIB,
    "bytes_sent": 300 << 20,
    "bytes_per_second": 20 << 20,
    "seconds": 65.3,
}


def progress(expected: int | None = None, **other: object) -> str:
    line = parse_line(json.dumps(PROGRESS | other))
    assert line.is_progress
    return describe_progress(line, expected)


def test_progress_has_rate_and_estimate() -> None:
    shown = "shop.a, shop.b  3/40  1:05  1.0 GiB read  300 MiB sent  20 MiB/s"
    assert progress() == shown
    assert progress(3 * GIB) == f"{shown}  about 102 s left"
    # What the line itself knows comes first.
    assert progress(3 * GIB, bytes_total=5 * GIB) == f"{shown}  about 3 min left"


@pytest.mark.parametrize(
    "other",
    [{"bytes_read": 4 * GIB}, {"bytes_read": 0}, {"bytes_per_second": 0}],
)
def test_what_has_outgrown_its_estimate_or_stands_still_has_none(other: dict[str, int]) -> None:
    assert "left" not in progress(3 * GIB, **other)


def test_progress_of_one_part_and_of_a_line_that_lacks_all() -> None:
    assert progress(name="", total=1).startswith("waiting  1:05")
    assert describe_progress(parse_line('{"message": "progress"}')) == "waiting"


@pytest.mark.parametrize("message", ["restoring", "reading", "copying"])
def test_progress_of_what_reads_a_backup(message: str) -> None:
    line = parse_line(
        f'{{"message": "{message}", "bytes_done": 1073741824, "bytes_total": 5368709120,'
        ' "bytes_per_second": 20971520, "seconds": 65}'
    )
    assert line.is_progress
    shown = describe_progress(line)
    assert shown == f"{message}  1:05  1.0 GiB read  20 MiB/s  about 3 min left"


def test_what_a_run_estimates_itself() -> None:
    assert estimate_in(parse_line('{"message": "dumping", "estimated_bytes": 5}')) == 5
    assert estimate_in(parse_line('{"message": "dumping", "estimated_bytes": null}')) is None
    assert estimate_in(parse_line('{"message": "dumping"}')) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '{"time": "2026-01-01T03:00:00Z", "level": "info", "message": "a", "n": [1], "b": "x"}',
            "03:00:00 info     a  n=[1]  b=x",
        ),
        ("pg_dump: error: no", "pg_dump: error: no"),
        ('{"message": 3}', '{"message": 3}'),
        ("{", "{"),
    ],
)
def test_lines_for_people(text: str, shown: str) -> None:
    assert describe_line(parse_line(text)) == shown


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted([*PROGRESS, "bytes_total"])), _JSON) | st.text())
def test_no_line_is_too_strange(document: object) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    line = parse_line(text)
    describe_line(line)
    describe_progress(line, 5)
