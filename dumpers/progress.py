"""How far a dump is: log lines for machines, one line that changes for a person."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat

from dumpers.log import fields, terminal

_LOG = logging.getLogger(__name__)

# The first lines come soon, so that somebody who watches sees that it runs.
_FIRST_SECONDS = (2.0, 5.0, 15.0)
_SECONDS = 30.0
_TERMINAL_SECONDS = 0.2
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_KIBI = 1024


@contextmanager
def shown(name: str, *, read: Callable[[], int], sent: Callable[[], int]) -> Iterator[None]:
    """Tell how far a dump is, from a thread of its own: a tool that stalls is seen, too.

    `read` and `sent` are the bytes from the dump tool and to the store so far.
    """
    ended = threading.Event()
    began = time.monotonic()
    screen = terminal()

    def report() -> None:
        first = () if screen else _FIRST_SECONDS
        for due in chain(first, repeat(_TERMINAL_SECONDS if screen else _SECONDS)):
            if ended.wait(due):
                return
            seconds = time.monotonic() - began
            if screen:
                screen.show(line(name, read=read(), sent=sent(), seconds=seconds))
            else:
                _LOG.info(
                    "progress",
                    extra=fields(
                        name=name,
                        bytes_read=read(),
                        bytes_sent=sent(),
                        bytes_per_second=round(read() / seconds),
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


def line(name: str, *, read: int, sent: int, seconds: float) -> str:
    """`shop  1:05  1.2 GiB read  310 MiB sent  19 MiB/s`, for a terminal."""
    minutes, rest = divmod(int(seconds), 60)
    rate = read / seconds if seconds else 0
    return f"{name}  {minutes}:{rest:02}  {_size(read)} read  {_size(sent)} sent  {_size(rate)}/s"


def _size(count: float) -> str:
    unit = 0
    while count >= _KIBI and unit < len(_UNITS) - 1:
        count /= _KIBI
        unit += 1
    shown = f"{count:.1f}" if unit and count < 10 else f"{count:.0f}"  # noqa: PLR2004  two digits
    return f"{shown} {_UNITS[unit]}"
