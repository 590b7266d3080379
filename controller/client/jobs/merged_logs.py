"""Several logs that are followed at once, line by line as these come."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from controller.kube.client import KubeError


class Lines(Protocol):
    """A container's log, see LogStream."""

    def __iter__(self) -> Iterator[str]:
        """Yield each line without its end."""

    def close(self) -> None:
        """End the stream, from whichever thread."""


def merge(
    logs: Mapping[str, Lines],
    *,
    silence: float,
    is_over: Callable[[], bool],
    on_break: Callable[[KubeError], None],
) -> Iterator[tuple[str, str]]:
    """Yield (name, line) of these logs by name until all of them have ended.

    `is_over` is asked whenever all were silent for `silence` seconds, and ends them, too: that of a
    node that died would stay silent for ever. `on_break` hears of a log that broke off.
    """
    lines: queue.Queue[tuple[str, str] | KubeError | None] = queue.Queue()
    for name, log in logs.items():
        threading.Thread(target=_pump, args=(log, name, lines), daemon=True).start()
    left = len(logs)
    while left:
        try:
            item = lines.get(timeout=silence)
        except queue.Empty:
            if is_over():
                return
            continue
        if isinstance(item, tuple):
            yield item
            continue
        left -= 1
        if item is not None:
            on_break(item)


def _pump(log: Lines, name: str, lines: "queue.Queue[tuple[str, str] | KubeError | None]") -> None:
    """Move the lines of one log into the queue; None is its end, a KubeError a bad one."""
    try:
        for line in log:
            lines.put((name, line))
    except KubeError as error:
        lines.put(error)
    else:
        lines.put(None)
