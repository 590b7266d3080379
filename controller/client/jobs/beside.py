"""What goes on at a database, beside which a restore must not begin."""

import time
from collections.abc import Callable, Sequence

from controller.client.jobs.follow import Cluster, pods_of
from controller.client.jobs.progress import newest_pod, state_of
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import note
from controller.kube.client import JOBS, NotFoundError
from controller.manifests.restore_job import is_plan
from controller.model import names
from controller.model.names import CONTAINER
from controller.model.objects import (
    Json,
    annotations_of,
    labels_of,
    metadata,
    name_of,
    owner_references,
    uid_of,
)
from controller.runs.job_status import end_of
from controller.runs.releases.choice import is_waiting

# From the end of its container to that of a Job: what a node and Kubernetes' own controllers take.
_ENDING_SECONDS, _PAUSE = 60.0, 0.5


def refuse_beside_running(
    cluster: Cluster,
    jobs: Sequence[Json],
    cronjob: Json,
    component: str,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Raise CommandError where a dump of this CronJob or another Job of `component` is going on.

    `jobs` are those of the control namespace that did not succeed. One whose work is done is waited
    for. A dump that waits for a place does not go on: while a restore holds its CronJob, it waits
    on.
    """
    for job in jobs:
        why = _why_not_beside(job, cronjob, component)
        if why and not _is_done(cluster, job, pause):
            raise CommandError(why, Exit.REFUSED)


def _why_not_beside(job: Json, cronjob: Json, component: str) -> str:
    """Why nothing may begin beside a Job; empty where it may."""
    if end_of(job) is not None or is_waiting(job):
        return ""
    name = name_of(job)
    if any(owner.get("uid") == uid_of(cronjob) for owner in owner_references(job)):
        return (
            f"the Job {name} dumps this database right now: wait for its end, or stop it by "
            f"`ksnapshot cancel {name}`"
        )
    is_such = labels_of(job).get(names.COMPONENT_LABEL) == component
    is_its = annotations_of(job).get(names.CRONJOB) == name_of(cronjob)
    # A plan is in nobody's way, and ends a moment after it has said all.
    if is_such and is_its and not is_plan(job):
        return (
            f"the Job {name} restores this workload right now: follow it by `ksnapshot logs --job "
            f"{name} --follow`, or stop it by `ksnapshot cancel {name}`"
        )
    return ""


def _is_done(cluster: Cluster, job: Json, pause: Callable[[float], None]) -> bool:
    """Whether a Job has ended by now, or does while it is waited for, as its work is done.

    Whoever followed it heard its result before Kubernetes says that it has ended.
    """
    namespace, name = str(metadata(job)["namespace"]), name_of(job)
    told, until = False, time.monotonic() + _ENDING_SECONDS
    while True:
        try:
            found = cluster.get(JOBS, namespace, name)
        except NotFoundError:
            return True
        if uid_of(found) != uid_of(job) or end_of(found) is not None:
            return True
        pod = newest_pod(pods_of(cluster, namespace, name))
        if not (pod and state_of(pod, CONTAINER).get("terminated")) or time.monotonic() > until:
            return False
        if not told:
            note(f"waiting for the Job {name}, whose work is done, to end")
            told = True
        pause(_PAUSE)
