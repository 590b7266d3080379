"""What an answer's reader does not take is held: to a bound, and nothing is lost."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams import http_exchange
from dumpers.streams.http_exchange import Exchange
from tests.testbed.toolchain.processes import wait_until

BLOCK = bytes(1 << 18)
BLOCKS = 40


class Answer:
    """An answer of many blocks; `sent` are those that were taken."""

    def __init__(self) -> None:
        self.sent = 0

    def stream(self, _: int, *, decode_content: bool) -> Iterator[bytes]:
        for _ in range(BLOCKS):
            self.sent += 1
            yield BLOCK

    def release_conn(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def shutdown(self) -> None:
        """Nothing to do."""


def exchange(answer: Answer) -> Exchange:
    return Exchange(lambda: cast("Any", answer), Interrupt(), lambda error: error, None)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Nobody is waited for, and ten blocks may be held."""
    made = threading.Semaphore(10)
    monkeypatch.setattr(http_exchange, "_HOLD_SECONDS", 0.0)
    monkeypatch.setattr(http_exchange, "_NOTICE_SECONDS", 0.001)
    monkeypatch.setattr(http_exchange, "_may_be_held", made)
    return made


def left(bound: threading.Semaphore) -> int:
    """How many blocks may still be held."""
    count = 0
    while bound.acquire(blocking=False):
        count += 1
    for _ in range(count):
        bound.release()
    return count


def test_blocks_are_taken_while_nobody_reads_to_a_bound(bound: threading.Semaphore) -> None:
    answer = Answer()
    reader = exchange(answer)
    reader.begin()
    wait_until(lambda: left(bound) == 0, seconds=60, what="the bound")
    assert answer.sent < BLOCKS
    assert sum(map(len, iter(reader.read, b""))) == BLOCKS * len(BLOCK)
    assert left(bound) == 10


def test_what_is_held_is_given_back_when_the_reader_leaves(bound: threading.Semaphore) -> None:
    reader = exchange(Answer())
    reader.begin()
    wait_until(lambda: left(bound) == 0, seconds=60, what="the bound")
    reader.end()
    assert left(bound) == 10
