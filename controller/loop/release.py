"""Lets waiting runs begin, as far as there are places (see runs.releases)."""

import logging
from collections.abc import Callable, Iterator

from controller.kube.client import WHOLE_JOBS, Kube, KubeError, NotFoundError, NotLeadingError
from controller.manifests.ownership import is_ours
from controller.model.names import AWAITS_RELEASE
from controller.model.objects import Json, annotations_of, metadata, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan.owned import by_owner
from controller.runs.releases.choice import Run, choose_runs, is_waiting, limits_of
from controller.runs.releases.host import host_of
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


def release_runs(
    kube: Kube, settings: Settings, control: ControlView, stopping: Callable[[], bool]
) -> list[str]:
    """Let runs begin; return a line for each that could not be released, which waits on.

    While CronJobs or Jobs are not known, nobody knows how many run: then none begins.
    """
    failures = []
    for job in choose_runs(_runs(control, settings), limits_of(settings)):
        if stopping():
            break
        try:
            _release(kube, settings.control_namespace, job)
        except NotFoundError:
            continue
        except NotLeadingError:
            break
        except KubeError as error:
            # The next pass tries again.
            failures.append(f"run {name_of(job)} not released: {error}")
    return failures


def _runs(control: ControlView, settings: Settings) -> Iterator[Run]:
    """The Jobs of our CronJobs; none if none of them waits, as in most passes."""
    if isinstance(control.cronjobs, ReadFailure) or isinstance(control.jobs, ReadFailure):
        return
    if not any(map(is_waiting, control.jobs)):
        return
    jobs = by_owner(control.jobs)
    for cronjob in control.cronjobs:
        if is_ours(cronjob, settings):
            host, is_held = host_of(cronjob), cronjob["spec"].get("suspend") is True
            for job in jobs.get(uid_of(cronjob), ()):
                yield Run(job=job, host=host, is_held=is_held)


def _release(kube: Kube, namespace: str, seen: Json) -> None:
    """Let one Job begin, if it still waits; its deadline counts from now."""
    job = kube.get(WHOLE_JOBS, namespace, name_of(seen))
    if uid_of(job) != uid_of(seen) or not is_waiting(job):
        return
    annotations = {key: text for key, text in annotations_of(job).items() if key != AWAITS_RELEASE}
    meta = {**metadata(job), "annotations": annotations}
    kube.replace(
        WHOLE_JOBS,
        namespace,
        {**job, "metadata": meta, "spec": {**job["spec"], "suspend": False}},
    )
    _log.info("run released", extra=fields(job=name_of(job)))
