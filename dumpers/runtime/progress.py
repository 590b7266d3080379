"""Shows how far a dump is: log lines for machines, one changing line for a person."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat

from dumpers.runtime.log import fields, terminal

_LOG = logging.getLogger(__name__)

# The first lines come soon, so that somebody who watches sees that it runs.
_FIRST_SECONDS = (2.0, 5.0, 15.0)
_SECONDS = 30.0
_TERMINAL_SECONDS = 0.2
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_KIBI = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    name: str
    read: Callable[[], int]
    sent: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a dump is: `names` are under way, `done` of `total` are stored.

    `read` and `sent` are the bytes from the dump tools and to the store so far.
    """

    names: tuple[str, ...]
    done: int
    total: int
    read: int
    sent: int


class Progress:
    """How far a dump of `total` parts is; threads may share it."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._lock = threading.Lock()
        self._under_way: list[_Part] = []
        self._done = self._read = self._sent = 0

    @contextmanager
    def of(self, name: str, *, read: Callable[[], int], sent: Callable[[], int]) -> Iterator[None]:
        """Add a part under way, with its bytes from the dump tool and to the store so far."""
        part = _Part(name=name, read=read, sent=sent)
        with self._lock:
            self._under_way.append(part)
        try:
            yield
        except BaseException:
            # The part begins anew, or the dump fails.
            with self._lock:
                self._under_way.remove(part)
            raise
        with self._lock:
            self._under_way.remove(part)
            self._done += 1
            self._read += read()
            self._sent += sent()

    def state(self) -> State:
        """Sum up the parts that are done and those under way."""
        with self._lock:
            return State(
                names=tuple(part.name for part in self._under_way),
                done=self._done,
                total=self._total,
                read=self._read + sum(part.read() for part in self._under_way),
                sent=self._sent + sum(part.sent() for part in self._under_way),
            )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the progress from a thread of its own, so that a stalled tool is seen, too."""
        ended = threading.Event()
        began = time.monotonic()
        screen = terminal()

        def report() -> None:
            first = () if screen else _FIRST_SECONDS
            for due in chain(first, repeat(_TERMINAL_SECONDS if screen else _SECONDS)):
                if ended.wait(due):
                    return
                seconds, state = time.monotonic() - began, self.state()
                if screen:
                    screen.show(line(state, seconds=seconds))
                else:
                    _LOG.info(
                        "progress",
                        extra=fields(
                            name=", ".join(state.names),
                            done=state.done,
                            total=state.total,
                            bytes_read=state.read,
                            bytes_sent=state.sent,
                            bytes_per_second=round(state.read / seconds),
                            seconds=round(seconds, 1),
                        ),
                    )

        thread = threading.Thread(target=report, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            if screen:
                screen.clear()


def line(state: State, *, seconds: float) -> str:
    """`shop.a +1  3/40  1:05  1.2 GiB read  310 MiB sent  19 MiB/s`, for a terminal."""
    name, *others = state.names or ("waiting",)
    parts = [f"{name} +{len(others)}" if others else name]
    if state.total > 1:
        parts.append(f"{state.done}/{state.total}")
    minutes, rest = divmod(int(seconds), 60)
    rate = state.read / seconds if seconds else 0
    parts += [f"{minutes}:{rest:02}", f"{_size(state.read)} read", f"{_size(state.sent)} sent"]
    return "  ".join((*parts, f"{_size(rate)}/s"))


def _size(count: float) -> str:
    unit = 0
    while count >= _KIBI and unit < len(_UNITS) - 1:
        count /= _KIBI
        unit += 1
    shown = f"{count:.1f}" if unit and count < 10 else f"{count:.0f}"  # noqa: PLR2004  two digits
    return f"{shown} {_UNITS[unit]}"
