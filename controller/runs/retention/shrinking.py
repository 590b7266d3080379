"""Whether a workload's backups have become suspiciously small, by the sizes of its last runs."""

from collections.abc import Sequence

from controller.model.objects import Json
from controller.runs.history import PastRun
from dumpers.contract.names import ACCEPT
from dumpers.contract.notes import SHRUNK
from dumpers.repository.retention.shrinking import Size, find_shrunk

# A new workload's first runs are no alarm.
_ENOUGH = 3


def accepts_size(cronjob: Json) -> bool:
    """Whether the runs of a CronJob record in their manifests that the size is right.

    One that began before its workload said so does not, and the next one does.
    """
    job = ((cronjob.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    pod = (job.get("template") or {}).get("spec") or {}
    return any(
        item.get("name") == ACCEPT and SHRUNK in str(item.get("value") or "").split(",")
        for container in pod.get("containers") or ()
        for item in container.get("env") or ()
    )


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
