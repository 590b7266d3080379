"""Whether a workload's backups have become suspiciously small, by the sizes of its last runs."""

from collections.abc import Sequence

from controller.runs.history import PastRun
from dumpers.repository.retention.shrinking import Size, find_shrunk

# A new workload's first runs are no alarm.
_ENOUGH = 3


def is_shrunk(history: Sequence[PastRun], accepted: str = "") -> bool:
    """Whether the newest good run of a history, which is newest first, is shrunk.

    `accepted` is a moment in RFC 3339, UTC: somebody found the sizes right by then, so that no
    earlier run is compared with. Empty for never.
    """
    return shrunk_runs(history, accepted)[:1] == (True,)


def shrunk_runs(history: Sequence[PastRun], accepted: str = "") -> tuple[bool, ...]:
    """Say of each good run of a history, newest first, whether it is shrunk."""
    sizes = [
        Size(source=run.source_bytes, stored=run.bytes, is_accepted=run.finished <= accepted)
        for run in history
        if run.is_good
    ]
    return find_shrunk(sizes, enough=_ENOUGH)
