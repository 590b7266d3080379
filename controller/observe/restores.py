"""Restores that have ended, each seen once: people start them, and the metrics count them."""

from controller.kube.client import RUN_PODS
from controller.kube.reader import ClusterReader
from controller.manifests.restore_job import RESTORE
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    uid_of,
)
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan.owned import by_owner
from controller.runs.history import FAILED, SUCCEEDED
from controller.runs.job_status import end_of
from controller.runs.restores import is_done, result_of_restore
from controller.settings.settings import Settings

# Job names in one selector: more would make the URL longer than servers take.
_NAMES = 50


def is_restore(job: Json, settings: Settings) -> bool:
    """Whether a Job restores a backup of this install."""
    is_ours = annotations_of(job).get(names.INSTANCE) == settings.instance
    return is_ours and labels_of(job).get(names.COMPONENT_LABEL) == RESTORE


def new_ends_of_restores(
    control: ControlView,
    reader: ClusterReader,
    settings: Settings,
    known: frozenset[str] | None,
) -> tuple[tuple[tuple[str, str], ...], frozenset[str] | None]:
    """Find outcome and reason of the restores that have ended since the last look.

    Also return what the next look has to know. What had ended before the first one (`known` is
    None) is not told: an earlier process has counted it.
    """
    if isinstance(control.jobs, ReadFailure):
        return (), known
    ended = [
        job
        for job in control.jobs
        if is_restore(job, settings)
        and end_of(job)
        and ObjectRef(kind=JOB, name=name_of(job)) not in control.unread
    ]
    uids = frozenset(map(uid_of, ended))
    new = [] if known is None else [job for job in ended if uid_of(job) not in known]
    if not new:
        return (), uids
    wanted = ",".join(name_of(job) for job in new[:_NAMES])
    pods = reader.list(RUN_PODS, settings.control_namespace, f"job-name in ({wanted})")
    by_job = {} if isinstance(pods, ReadFailure) else by_owner(tuple(pods))
    return tuple(_outcome(job, by_job.get(uid_of(job), ())) for job in new), uids


def _outcome(job: Json, pods: Objects) -> tuple[str, str]:
    """Outcome and reason of a restore."""
    result = result_of_restore(end_of(job) or {}, pods)
    return SUCCEEDED if is_done(result) else FAILED, result.reason
