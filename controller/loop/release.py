"""Lets waiting runs begin, as far as there are places (see runs.releases)."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

from controller.kube.client import (
    CRONJOBS,
    WHOLE_JOBS,
    ConflictError,
    Kube,
    KubeError,
    NotFoundError,
    NotLeadingError,
    UnavailableError,
)
from controller.manifests.ownership import DUMP, PENDING, component_of, holder_of, is_ours
from controller.model.names import AWAITS_RELEASE
from controller.model.objects import Json, annotations_of, metadata, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan.owned import by_owner
from controller.runs.releases.choice import (
    Run,
    begin_runs,
    due_since,
    is_waiting,
    limits_of,
    takes_place,
)
from controller.runs.releases.host import host_of
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

_TRIES = 3
_log = logging.getLogger(__name__)


def release_runs(
    kube: Kube, settings: Settings, control: ControlView, stopping: Callable[[], bool]
) -> list[str]:
    """Let runs begin; return a line for each that could not be released, which waits on.

    While CronJobs or Jobs are not known, nobody knows how many run: then none begins.
    """
    failures: list[str] = []

    def begin(run: Run) -> bool:
        if stopping():
            return False
        try:
            return _release(kube, settings.control_namespace, run, _TRIES)
        except NotFoundError:
            return False
        except NotLeadingError:
            raise
        except KubeError as error:
            # The next pass tries again.
            failures.append(f"run {name_of(run.job)} not released: {error}")
            # Without an answer it may have begun all the same.
            return isinstance(error, UnavailableError)

    with suppress(NotLeadingError):
        begin_runs(_runs(control, settings), limits_of(settings), begin)
    return failures


def plan_releases(control: ControlView, settings: Settings) -> list[tuple[Run, bool]]:
    """List the runs that wait, in the order in which they came due, and which of them may begin."""
    runs, released = list(_runs(control, settings)), set[str]()

    def begin(run: Run) -> bool:
        released.add(uid_of(run.job))
        return True

    begin_runs(runs, limits_of(settings), begin)
    waiting = sorted(
        (run for run in runs if is_waiting(run.job)),
        key=lambda run: (due_since(run.job), name_of(run.job)),
    )
    return [(run, uid_of(run.job) in released) for run in waiting]


def _runs(control: ControlView, settings: Settings) -> Iterator[Run]:
    """The Jobs of our CronJobs; none if none of them waits, as in most passes."""
    if isinstance(control.cronjobs, ReadFailure) or isinstance(control.jobs, ReadFailure):
        return
    if not any(map(is_waiting, control.jobs)):
        return
    jobs = by_owner(control.jobs)
    for cronjob in control.cronjobs:
        if is_ours(cronjob, settings) and component_of(cronjob) == DUMP:
            host, is_held = host_of(cronjob), _is_held(cronjob)
            for job in jobs.get(uid_of(cronjob), ()):
                yield Run(job=job, cronjob=name_of(cronjob), host=host, is_held=is_held)


def _is_held(cronjob: Json) -> bool:
    """Whether a restore keeps the runs of a CronJob back.

    Not `suspend`: in Kubernetes that keeps new runs from coming due, and none that is there. And
    not a restore that has no Job yet: it is made once all runs of its workload have ended, those
    that wait as well (plan.restores.bootstrap). So it is the restore that gives way, as it does to
    a run that goes on; if both did, both would wait for ever.
    """
    holder = holder_of(cronjob)
    return holder is not None and holder.uid != PENDING


def _release(kube: Kube, namespace: str, run: Run, tries: int) -> bool:
    """Let one Job begin, if it still waits; return whether it goes on by now."""
    name = name_of(run.job)
    job = kube.get(WHOLE_JOBS, namespace, name)
    if uid_of(job) != uid_of(run.job) or not is_waiting(job):
        return uid_of(job) == uid_of(run.job) and takes_place(job)
    # As late as can be: a restore may have begun since the pass read the CronJob.
    if _is_held(kube.get(CRONJOBS, namespace, run.cronjob)):
        return False
    annotations = {key: text for key, text in annotations_of(job).items() if key != AWAITS_RELEASE}
    meta = {**metadata(job), "annotations": annotations}
    # Its deadline counts from now.
    body = {**job, "metadata": meta, "spec": {**job["spec"], "suspend": False}}
    try:
        kube.replace(WHOLE_JOBS, namespace, body)
    except ConflictError:
        # Kubernetes' own controllers write it, too.
        if tries == 1:
            raise
        return _release(kube, namespace, run, tries - 1)
    _log.info("run released", extra=fields(job=name))
    return True
