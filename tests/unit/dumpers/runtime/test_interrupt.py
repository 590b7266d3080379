import os
import threading
import time
from collections.abc import Callable

import pytest

from dumpers.runtime.errors import DeadlineExceededError, InterruptedRunError
from dumpers.runtime.interrupt import Interrupt


def waits(interrupt: Interrupt, descriptor: int) -> dict[str, Callable[[], object]]:
    """Every way of waiting, for what never comes."""

    def never(_: float) -> None:
        raise TimeoutError

    return {
        "check": interrupt.check,
        "sleep": lambda: interrupt.sleep(600),
        "wait": lambda: interrupt.wait(never),
        "wait_readable": lambda: interrupt.wait_readable(descriptor),
    }


WAITS = ["check", "sleep", "wait", "wait_readable"]


@pytest.fixture
def silent() -> int:
    """The read end of a pipe into which nobody writes."""
    read_end, _ = os.pipe()
    return read_end


@pytest.mark.parametrize("how", WAITS)
def test_a_child_ends_with_its_parent(how: str, silent: int) -> None:
    parent = Interrupt()
    child = parent.child().child()
    parent.cancel("SIGTERM")
    assert child.is_cancelled
    with pytest.raises(InterruptedRunError, match="stopped by SIGTERM"):
        waits(child, silent)[how]()


@pytest.mark.parametrize("how", WAITS)
def test_a_child_ends_alone(how: str, silent: int) -> None:
    parent = Interrupt()
    child, other = parent.child(), parent.child()
    child.cancel("the failure of another stream")
    with pytest.raises(InterruptedRunError, match="the failure of another stream"):
        waits(child, silent)[how]()
    for scope in (parent, other):
        assert not scope.is_cancelled
        scope.check()
        scope.sleep(0)


@pytest.mark.parametrize("how", WAITS)
def test_a_child_has_its_parents_deadline(how: str, silent: int) -> None:
    child = Interrupt(0.0).child()
    with pytest.raises(DeadlineExceededError, match="deadline"):
        waits(child, silent)[how]()


def test_a_part_that_takes_too_long_is_no_deadline() -> None:
    own = Interrupt(0.0, work="clean-up", is_part=True)
    with pytest.raises(InterruptedRunError) as caught:
        own.check()
    assert str(caught.value) == "the clean-up was stopped after 0 s, the longest it may take"
    assert not isinstance(caught.value, DeadlineExceededError)
    own.hold_up("the store")
    with pytest.raises(InterruptedRunError, match="may take: it was waiting for the store"):
        own.check()


@pytest.mark.parametrize("how", ["sleep", "wait_readable"])
def test_a_child_that_waits_hears_its_parent(how: str, silent: int) -> None:
    parent = Interrupt()
    child = parent.child()
    ended: list[str] = []

    def wait() -> None:
        try:
            waits(child, silent)[how]()
        except InterruptedRunError as error:
            ended.append(str(error))

    thread = threading.Thread(target=wait)
    began = time.monotonic()
    thread.start()
    parent.cancel("SIGTERM")
    thread.join(60)
    assert ended == ["stopped by SIGTERM before the dump was complete"]
    assert time.monotonic() - began < 60


def test_the_parents_cause_is_shown_first() -> None:
    parent = Interrupt()
    child = parent.child()
    child.cancel("the failure of another stream")
    parent.cancel("SIGTERM")
    with pytest.raises(InterruptedRunError, match="SIGTERM"):
        child.check()
