"""Prunes that have ended, each read once: their Jobs are listed with all others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from controller.kube.client import CRONJOBS, RUN_PODS
from controller.kube.reader import ClusterReader
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import Json, ObjectRef, name_of, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan.owned import by_owner
from controller.runs.job_status import end_of
from controller.runs.retention.prunes import (
    PRUNE,
    PastPrune,
    Prunes,
    idle_storages,
    is_prune,
    is_rehearsal,
    past_prune,
    prunes_of,
)
from controller.settings.settings import Settings

# Job names in one selector: more would make the URL longer than servers take.
_NAMES = 50
_SELECTOR = f"{names.COMPONENT_LABEL}={PRUNE}"


def observe_prunes(
    control: ControlView,
    reader: ClusterReader,
    settings: Settings,
    before: Prunes | None,
    known: Mapping[str, PastPrune] | None,
    *,
    now: datetime,
) -> tuple[Prunes, Mapping[str, PastPrune] | None]:
    """Find how the prunes ended, and return what the next look has to know, by Job uid.

    `before` is what the last look found, and `known` what it has left: None before the first one,
    whose prunes are not `new`: an earlier process has counted them. What cannot be read now is as
    it was. Storages that were never pruned count from their CronJobs, else from the first look, at
    `now`.
    """
    if isinstance(control.jobs, ReadFailure):
        return replace(before, new=()) if before else Prunes(is_known=False), known
    jobs = [
        job
        for job in control.jobs
        if is_prune(job, settings)
        and ObjectRef(kind=JOB, name=name_of(job)) not in control.unread
        and not is_rehearsal(job)
    ]
    ended = {uid_of(job): job for job in jobs if end_of(job)}
    unread = [uid for uid in ended if known is None or uid not in known]
    found = {uid: past for uid, past in (known or {}).items() if uid in ended}
    if unread:
        wanted = ",".join(name_of(ended[uid]) for uid in unread[:_NAMES])
        pods = reader.list(RUN_PODS, settings.control_namespace, f"job-name in ({wanted})")
        if isinstance(pods, ReadFailure):
            # Without its figures a prune would be told of for good: the next pass asks again.
            unread = []
        else:
            by_job = by_owner(tuple(pods))
            unread = unread[:_NAMES]
            found |= {uid: past_prune(ended[uid], by_job.get(uid, ())) for uid in unread}
    new = () if known is None else unread
    watched_since = before.watched_since if before else now.isoformat()
    made = prunes_of(
        jobs,
        found,
        new,
        idle=[since or watched_since for since in _idle(jobs, reader, settings)],
        watched_since=watched_since,
    )
    return made, found


def _idle(jobs: Iterable[Json], reader: ClusterReader, settings: Settings) -> Iterable[str]:
    """Since when storages that have no Job should have one, each; empty where nobody knows.

    By their CronJobs, which outlive this process. These are read only where a Job is missing.
    """
    storages = settings.storages_to_prune() if settings.prune_enabled else ()
    idle = idle_storages(storages, jobs, (), settings)
    if not idle:
        return ()
    cronjobs = reader.list(CRONJOBS, settings.control_namespace, _SELECTOR)
    if not isinstance(cronjobs, ReadFailure):
        idle = idle_storages(storages, jobs, cronjobs, settings)
    return idle.values()
