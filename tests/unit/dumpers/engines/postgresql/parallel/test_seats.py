"""Sessions of snapshots: no more at a time than there are seats."""

import pytest

from dumpers.engines.postgresql.parallel.opening import seats_for
from dumpers.engines.postgresql.parallel.seats import Seats
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt


@pytest.mark.parametrize(
    ("sessions", "seats"), [([], 0), ([4], 4), ([3, 5], 8), ([9, 1, 2, 9, 3], 18)]
)
def test_the_two_largest_snapshots_have_seats_at_a_time(sessions: list[int], seats: int) -> None:
    assert seats_for(sessions) == seats
    assert seats >= max(sessions, default=0)


def test_who_wants_more_than_are_left_waits_until_they_are_given_back() -> None:
    seats = Seats(free=5)
    seats.take(3, Interrupt())
    seats.take(2, Interrupt())
    with pytest.raises(InterruptedRunError):
        seats.take(1, Interrupt(seconds=0))
    seats.give_back(2)
    seats.take(2, Interrupt())
    seats.give_back(3)
    with pytest.raises(InterruptedRunError):
        seats.take(4, Interrupt(seconds=0))
    seats.take(3, Interrupt())
