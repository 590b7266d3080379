"""Stops a restore, and hears what its target holds then.

Its pod goes with the Job, and with the pod its termination message. So the log is opened before
anything is stopped: the last line has the same result, and comes through while the pod ends.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator

from controller.client.jobs.log_lines import LogLine, parse_line
from controller.client.jobs.merged_logs import Lines
from controller.kube.client import KubeError
from dumpers.contract.restore.result import RestoreResult

# For the log's first line, and then for the pod's end: half a minute, and what a node needs.
_FIRST_SECONDS, _LAST_SECONDS = 10.0, 60.0
_ENDS = {f"{verb} {end}" for verb in ("restore", "undo", "forget") for end in ("done", "failed")}


def stop_and_hear(open_log: Callable[[], Lines], stop: Callable[[], None]) -> RestoreResult | None:
    """Open the log of the container that knows the result, stop its Job, and return the result.

    None where the log did not say it in time, or cannot be read: then nothing is known.
    """
    log = open_log()
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_pump, args=(log, lines), daemon=True).start()
    result: RestoreResult | None = None
    try:
        # Once a line has come, the log is open, and none of those that follow is missed.
        for line in _take(lines, _FIRST_SECONDS, most=1):
            result = result_in(line) or result
        stop()
        for line in _take(lines, _LAST_SECONDS):
            result = result_in(line) or result
    finally:
        log.close()
    return result


def result_in(line: LogLine) -> RestoreResult | None:
    """The result in the last line of a restore's log; None in any other line."""
    if line.message not in _ENDS:
        return None
    # Members that are empty are not logged.
    empty = {"exit_code": 0, "reason": "", "message": line.fields.get("error", "")}
    try:
        return RestoreResult.from_json(json.dumps(empty | dict(line.fields)))
    except ValueError:
        return None


def _pump(log: Lines, lines: "queue.Queue[str | None]") -> None:
    """Move the lines into the queue; None is the end, a bad one, too."""
    try:
        for line in log:
            lines.put(line)
    except KubeError:
        # Not allowed, or broken off: nothing more is known.
        pass
    finally:
        lines.put(None)


def _take(
    lines: "queue.Queue[str | None]", seconds: float, *, most: int | None = None
) -> Iterator[LogLine]:
    """Yield lines until their end, or until this time is over."""
    until = time.monotonic() + seconds
    count = 0
    while most is None or count < most:
        try:
            line = lines.get(timeout=max(until - time.monotonic(), 0.0))
        except queue.Empty:
            return
        if line is None:
            # Whoever asks again finds the end, too.
            lines.put(None)
            return
        count += 1
        yield parse_line(line)
