"""The curve of a workload's last runs."""

import re
from collections.abc import Sequence

import pytest

from controller.report.page.curves import curve
from controller.runs.history import PastRun


def run(size: int, *, good: bool = True, day: int = 1) -> PastRun:
    return PastRun(
        finished=f"2026-01-{day:02}T03:00:00Z",
        outcome="succeeded" if good else "failed",
        reason="Succeeded" if good else "SourceFailed",
        seconds=1.0,
        bytes=size,
    )


def drawn(runs: Sequence[PastRun]) -> str | None:
    return curve(runs, lambda run: run.bytes, "sizes", lambda value: f"{value:g} B")


def points(runs: Sequence[PastRun]) -> list[tuple[float, float]]:
    (found,) = re.findall(r'points="([^"]*)"', drawn(runs) or "")
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found.split())]


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [run(7)],
        [run(7), run(0, good=False)],
        [run(7), run(0)],
        [run(0, good=False)] * 30,
    ],
)
def test_fewer_than_two_good_runs_make_no_curve(runs: list[PastRun]) -> None:
    assert drawn(runs) is None


def test_it_goes_from_old_to_new_and_begins_at_zero() -> None:
    found = points([run(100, day=3), run(50, day=2), run(0, good=False, day=1), run(100, day=1)])
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    (_, first), (_, half), (_, last) = found
    assert first == last < half, "what is higher has a smaller y"
    bottom = points([run(100), run(1)])[0][1]
    assert half == pytest.approx((first + bottom) / 2, abs=0.3)


def test_equal_runs_are_a_point_each_and_stay_within_the_picture() -> None:
    found = points([run(10**15)] * 30)
    assert len(set(found)) == 30
    assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in found)


def test_failed_runs_are_marks_and_everything_is_said_in_words() -> None:
    picture = drawn([run(30), run(0, good=False), run(50), run(20), run(0, good=False)])
    assert picture
    assert picture.count("v-5") == 2
    label = "sizes of the last 3 good runs, from 20 B to 30 B, at most 50 B; 2 failed"
    assert f'aria-label="{label}"' in picture
    assert "<path" not in (drawn([run(30), run(50)]) or "")
