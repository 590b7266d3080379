"""Reads what shows how Jobs run and end: their pods, and Events where those explain too little."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

from controller.kube.client import EVENTS, JOBS, RUN_PODS
from controller.kube.reader import ClusterReader
from controller.manifests import ownership
from controller.manifests.ownership import DUMP
from controller.model import names
from controller.model.objects import Json, ObjectRef, Objects, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan import owned
from controller.runs import results
from controller.runs.blocked import blocked_run
from controller.runs.causes.event_causes import events_by_job
from controller.runs.job_status import is_active, started_at
from controller.runs.proving.jobs import jobs_with_open_proof, proofs_by_cronjob
from controller.runs.restores import open_jobs as open_jobs_of_restores
from controller.settings.settings import Settings

# Job names in one selector: more would make the URL longer than servers take.
_NAMES = 50
# More selectors than these cost more than one list of all pods.
_SELECTORS = 4
_WARNINGS = "type=Warning"
# A Job that is younger has no pod yet, as a rule: where many begin at once, nobody asks why.
_YOUNG = timedelta(seconds=5)


def with_runs(
    view: ControlView, reader: ClusterReader, settings: Settings, now: datetime
) -> ControlView:
    """Add the pods of Jobs whose result is open, and Events where the pods explain too little."""
    if isinstance(view.cronjobs, ReadFailure) or isinstance(view.jobs, ReadFailure):
        return view
    ours = [cronjob for cronjob in view.cronjobs if ownership.is_ours(cronjob, settings)]
    jobs_by_cronjob = owned.by_owner(view.jobs)
    open_jobs = [
        (cronjob, job)
        for cronjob in ours
        if ownership.component_of(cronjob) == DUMP
        for job in results.jobs_with_open_result(cronjob, jobs_by_cronjob.get(uid_of(cronjob), ()))
        # A Job that could not be read shows nothing of its state.
        if _job_ref(job) not in view.unread
    ]
    proving_jobs = proofs_by_cronjob(view.jobs)
    proving = [
        name_of(job)
        for cronjob in ours
        if (items := proving_jobs.get(name_of(cronjob)))
        for job in jobs_with_open_proof(cronjob, items)
        if _job_ref(job) not in view.unread
    ]
    restores = [name for cronjob in ours for name in open_jobs_of_restores(cronjob)]
    # A drill whose server's image cannot be pulled would end at its deadline, without a word.
    drills = [
        name_of(job)
        for cronjob in ours
        if ownership.component_of(cronjob) == names.DRILL
        for job in jobs_by_cronjob.get(uid_of(cronjob), ())
        if is_active(job) and _job_ref(job) not in view.unread
    ]
    others = [*dict.fromkeys((*proving, *restores, *drills))]
    pods = _pods([name_of(job) for _, job in open_jobs], others, reader, settings)
    if isinstance(pods, ReadFailure):
        return replace(view, pods=pods)
    pods_by_job = owned.by_owner(pods)
    unexplained = [
        job
        for cronjob, job in open_jobs
        if _is_unexplained(cronjob, job, pods_by_job.get(uid_of(job), ()), now)
    ]
    return replace(view, pods=pods, events=_events(unexplained, reader, settings))


def _pods(
    dumps: list[str], others: list[str], reader: ClusterReader, settings: Settings
) -> Objects | ReadFailure:
    """Read the pods of these Jobs, by their names."""
    selectors = _by_names([*dumps, *others])
    if len(selectors) > _SELECTORS:
        # Pods of the others have not this label, as 0.6.0 would delete their Jobs.
        selectors = [names.SELECTOR, *_by_names(others)]
    pods: list[Json] = []
    for selector in selectors:
        listed = reader.list(RUN_PODS, settings.control_namespace, selector)
        if isinstance(listed, ReadFailure):
            return listed
        pods += listed
    return tuple(pods)


def _by_names(jobs: list[str]) -> list[str]:
    """Selectors of the pods of these Jobs."""
    return [
        f"job-name in ({','.join(jobs[start : start + _NAMES])})"
        for start in range(0, len(jobs), _NAMES)
    ]


def _is_unexplained(cronjob: Json, job: Json, pods: Objects, now: datetime) -> bool:
    """Whether a Job failed or does not begin, and its pods do not show why."""
    if is_active(job) and not pods:
        # Maybe on its way, maybe refused: that is said by Events alone.
        return not _is_young(job, now)
    blocked = blocked_run(job, pods, (), now)
    if blocked:
        return not blocked.is_explained
    return results.lacks_cause(cronjob, job, pods)


def _is_young(job: Json, now: datetime) -> bool:
    """Whether a Job began just now; one whose time cannot be read did not."""
    try:
        return now - datetime.fromisoformat(started_at(job)) < _YOUNG
    except (TypeError, ValueError):
        # TypeError: a time without its zone.
        return False


def _events(jobs: list[Json], reader: ClusterReader, settings: Settings) -> Objects | ReadFailure:
    """Read the warnings of these Jobs and their pods, in one list for all of them."""
    if not jobs:
        return ()
    warnings = reader.list(EVENTS, settings.control_namespace, fields=_WARNINGS)
    if isinstance(warnings, ReadFailure):
        return warnings
    return tuple(chain.from_iterable(events_by_job(tuple(jobs), tuple(warnings)).values()))


def _job_ref(job: Json) -> ObjectRef:
    return ObjectRef(kind=JOBS.kind, name=name_of(job))
