"""The runs of a CronJob that do not begin or end, so that no next one begins."""

from datetime import timedelta

from controller.model.kinds import JOB
from controller.model.objects import Json, ObjectRef, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ClusterView
from controller.plan.owned import OwnedObjects
from controller.runs.blocked import BlockedRun, blocked_runs
from controller.runs.releases.choice import Limits, due_since, is_waiting

_LONG_WAIT = timedelta(hours=1)


def blocked_runs_of(
    cronjob: Json | None, owned: OwnedObjects, view: ClusterView
) -> tuple[BlockedRun, ...]:
    """Find the runs of a CronJob that do not begin or end; empty while its Jobs are not known."""
    jobs, pods = owned.jobs, owned.pods
    if cronjob is None or isinstance(jobs, ReadFailure) or isinstance(pods, ReadFailure):
        return ()
    known = (
        job
        for job in jobs.get(uid_of(cronjob), ())
        if ObjectRef(kind=JOB, name=name_of(job)) not in view.control.unread
    )
    return blocked_runs(known, pods, owned.events, view.now)


def long_waits_of(
    cronjob: Json, owned: OwnedObjects, view: ClusterView, limits: Limits
) -> tuple[str, ...]:
    """Say of each run that has waited for its place for more than an hour since when it has."""
    jobs = owned.jobs
    if isinstance(jobs, ReadFailure):
        return ()
    allowed = limits.describe()
    waiting = ((job, due_since(job)) for job in jobs.get(uid_of(cronjob), ()) if is_waiting(job))
    return tuple(
        f"run {name_of(job)} waits for a place since {since:%Y-%m-%dT%H:%M:%SZ}"
        f"{f' ({allowed})' if allowed else ''}; no other run of it begins before it has ended"
        for job, since in waiting
        if view.now - since > _LONG_WAIT
    )


def describe_blocked_run(run: BlockedRun) -> str:
    """Say in one line since when and why a run is blocked."""
    return f"run {run.job} is blocked since {run.since}: {run.cause.reason}: {run.cause.message}"
