from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from dumpers.repository.keys import drill_name, last_drill
from dumpers.runs.verify.verdict_time import SECOND, verdict_time

NOW = datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC)
CLOCKS = [timedelta(minutes=-9), timedelta(0), timedelta(minutes=9), timedelta(days=2000)]


@pytest.mark.parametrize("was_good", [True, False])
@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize(("first", "second"), [*product(CLOCKS, repeat=2)])
def test_the_verdict_that_was_found_last_counts_whatever_the_clocks_say(
    *, was_good: bool, good: bool, first: timedelta, second: timedelta
) -> None:
    names = [drill_name(verdict_time(None, NOW + first, good=was_good), good=was_good)]
    last = last_drill(names, now=NOW + second)
    names.append(drill_name(verdict_time(last, NOW + second, good=good), good=good))
    for later in (NOW + second + SECOND, NOW + timedelta(days=3000)):
        found = last_drill(names, now=later)
        assert found is not None
        assert found.good == good, names


def test_what_is_said_again_is_of_now() -> None:
    ahead = last_drill([drill_name(NOW + timedelta(days=1), good=True)], now=NOW)
    assert verdict_time(ahead, NOW, good=True) == NOW
