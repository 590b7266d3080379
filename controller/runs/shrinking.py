"""Whether a workload's backups have become suspiciously small, by the sizes of its last runs.

A database that was emptied, a selection that fits less, a login that sees less: all of them leave
good runs. A run counts as shrunk if it is smaller than half the median of the seven newest runs
before it that are not shrunk themselves, so that a workload stays shrunk until somebody says that
the new size is right.
"""

from collections.abc import Iterable, Sequence
from statistics import median

from controller.runs.history import PastRun

_WINDOW = 7
# Of fewer runs nobody knows what is usual.
_ENOUGH = 3
_SHARE = 0.5


def is_shrunk(history: Sequence[PastRun], accepted: str = "") -> bool:
    """Whether the newest good run of a history, which is newest first, is shrunk.

    `accepted` is a moment in RFC 3339, UTC: somebody found the sizes right by then, so that no
    earlier run is compared with. Empty for never.
    """
    return shrunk_runs(history, accepted)[:1] == (True,)


def shrunk_runs(history: Sequence[PastRun], accepted: str = "") -> tuple[bool, ...]:
    """Say of each good run of a history, newest first, whether it is shrunk."""
    usual: list[PastRun] = []
    found: list[bool] = []
    for run in reversed([run for run in history if run.is_good]):
        if run.finished <= accepted:
            # It stands for what is usual from then on, whatever it would have been called.
            usual = [run] * _ENOUGH
            found.append(False)
            continue
        is_small = _is_small(run, usual)
        if not is_small:
            usual.append(run)
        found.append(is_small)
    return tuple(reversed(found))


def _is_small(run: PastRun, usual: Iterable[PastRun]) -> bool:
    """Whether a run is small among others, by what left the database where that is known."""
    others = list(usual)[-_WINDOW:]
    if run.source_bytes:
        known = [other.source_bytes for other in others if other.source_bytes]
        if len(known) >= _ENOUGH:
            return run.source_bytes < _SHARE * median(known)
    known = [other.bytes for other in others if other.bytes]
    return len(known) >= _ENOUGH and 0 < run.bytes < _SHARE * median(known)
