"""How long a call waits for a store that is away, by a clock that only pauses and attempts move."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dumpers.runtime.errors import InterruptedRunError, StorageFailedError, StorageRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.errors import StoreAwayError
from dumpers.storage.patience import Patience
from dumpers.storage.way_out import WayOut

AWAY = StoreAwayError("cannot write k: connection refused")


@dataclass(slots=True, kw_only=True)
class Time:
    """A clock; `pauses` are those that were made."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, interrupt: Interrupt, seconds: float) -> None:
        interrupt.check()
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds=seconds, clock=lambda: self.now, sleep=self.sleep)

    def away(self, until: float, *, attempt: float = 0.0) -> Callable[[], float]:
        """A call to a store that is away until a time, with attempts that take some seconds."""

        def call() -> float:
            if self.now < until:
                self.now += attempt
                raise AWAY
            return self.now

        return call


@pytest.mark.parametrize("outage", [0, 0.05, 1, 4, 30, 120, 299])
def test_a_call_succeeds_soon_after_the_store_is_back(outage: float) -> None:
    time = Time()
    ended = time.patience(300).call(time.away(outage), interrupt=Interrupt())
    assert outage <= ended <= outage + 15
    assert time.pauses == sorted(time.pauses[:-1]) + time.pauses[-1:]


@pytest.mark.parametrize("attempt", [0, 10, 55])
def test_a_store_that_stays_away_is_given_up_after_the_patience(attempt: float) -> None:
    time = Time()
    call = time.away(1e9, attempt=attempt)
    with pytest.raises(StorageFailedError, match="connection refused; the store has been away"):
        time.patience(300).call(call, interrupt=Interrupt())
    assert 300 <= time.now <= 300 + attempt


def test_nobody_says_to_wait_for_a_store_that_was_given_up_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = []

    class Lane(Interrupt):
        def hold_up(self, by: str) -> None:
            told.append(by)

    lane = Lane()

    def hang() -> None:
        lane.cancel("the end of its upload")
        raise AWAY

    with pytest.raises(InterruptedRunError, match="the end of its upload"):
        Time().patience(300).call(hang, interrupt=lane)
    assert "waiting for the store" not in caplog.text
    assert told == []


def test_without_patience_there_is_one_attempt() -> None:
    time = Time()
    with pytest.raises(StorageFailedError):
        time.patience(0).call(time.away(1), interrupt=Interrupt())
    assert time.pauses == []


def test_what_no_waiting_helps_against_is_raised_at_once() -> None:
    def refuse() -> None:
        raise StorageRefusedError("no such bucket")

    with pytest.raises(StorageRefusedError):
        Patience(seconds=300, sleep=lambda *_: pytest.fail("waited")).call(
            refuse, interrupt=Interrupt()
        )


def test_an_attempt_that_got_on_counts_as_a_store_that_was_there() -> None:
    time = Time()
    lengths = [3600.0, 3600.0, 0.0, 0.0]

    def call() -> str:
        if not lengths:
            return "done"
        time.now += lengths.pop(0)
        raise AWAY

    assert time.patience(300).call(call, interrupt=Interrupt()) == "done"


def test_what_always_breaks_off_is_given_up() -> None:
    time, tries = Time(), []

    def call() -> None:
        tries.append(time.now)
        time.now += 3600
        raise AWAY

    with pytest.raises(StorageFailedError):
        time.patience(300).call(call, interrupt=Interrupt())
    assert 3 < len(tries) < 10


def test_a_signal_in_a_pause_ends_the_wait() -> None:
    interrupt, time = Interrupt(), Time()

    def sleep(waiting: Interrupt, seconds: float) -> None:
        if len(time.pauses) == 3:
            interrupt.cancel("SIGTERM")
        time.sleep(waiting, seconds)

    patience = Patience(seconds=300, clock=lambda: time.now, sleep=sleep)
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        patience.call(time.away(1e9), interrupt=interrupt)
    assert len(time.pauses) == 3


def test_a_deadline_that_comes_in_a_pause_names_the_store() -> None:
    interrupt = Interrupt(0.05)
    with pytest.raises(
        InterruptedRunError, match="waiting for the store: cannot write k"
    ) as caught:
        Patience(seconds=300).call(Time().away(1e9), interrupt=interrupt.child())
    assert "raise the deadline" not in str(caught.value)


def test_a_deadline_that_comes_after_an_outage_does_not() -> None:
    interrupt, time = Interrupt(0.0), Time()
    with pytest.raises(InterruptedRunError, match="raise the deadline"):
        time.patience(300).call(time.away(4), interrupt=interrupt)
    interrupt = Interrupt()
    time.patience(300).call(time.away(time.now + 4), interrupt=interrupt)
    assert interrupt._own.held_up_by == ""


def test_a_real_pause_ends_with_the_signal() -> None:
    interrupt = Interrupt()

    def call() -> None:
        interrupt.cancel("SIGTERM")
        raise AWAY

    with pytest.raises(InterruptedRunError):
        Patience(seconds=300).call(call, interrupt=interrupt)


def test_all_calls_on_the_way_out_share_one_patience() -> None:
    time = Time()
    way_out = WayOut(time.patience(300), Interrupt())
    with pytest.raises(StorageFailedError):
        way_out.call(time.away(1e9), last_seconds=10)
    assert time.now == 300
    with pytest.raises(StorageFailedError):
        way_out.call(time.away(1e9), last_seconds=10)
    assert time.now == 310
    assert way_out.call(time.away(0), last_seconds=10) == 310
    with pytest.raises(StorageFailedError):
        way_out.call(time.away(1e9), last_seconds=10)
    assert time.now == 610


@pytest.mark.parametrize("is_short", [False, True])
def test_on_the_way_out_nothing_waits_longer_than_a_kill(*, is_short: bool) -> None:
    run = Interrupt()
    if not is_short:
        run.cancel("SIGTERM")
    way_out = WayOut(Patience(seconds=300), run, is_short=is_short)
    assert way_out.call(lambda: "done", last_seconds=10) == "done"
    waiting = Interrupt()
    with pytest.raises(TimeoutError):
        way_out.call(lambda: waiting.sleep(60), last_seconds=0.2)
    waiting.cancel("the end of the test")


def test_a_store_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    time = Time()
    left = [StoreAwayError("slow down", retry_after=120.0)]

    def call() -> float:
        if left:
            raise left.pop()
        return time.now

    assert time.patience(300).call(call, interrupt=Interrupt()) == 120
    assert time.pauses == [120]


def test_no_store_is_left_alone_for_longer_than_the_patience() -> None:
    time = Time()

    def call() -> None:
        raise StoreAwayError("slow down", retry_after=86_400.0)

    with pytest.raises(StorageFailedError, match="has been away for 300 s"):
        time.patience(300).call(call, interrupt=Interrupt())
    assert time.pauses == [300]
