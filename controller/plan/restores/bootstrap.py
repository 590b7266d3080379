"""Restores a new workload's empty database before its first dump: the annotation restore-from.

The CronJob is made first, and held; then comes the Job, which restores only where nothing is. When
the Job has ended, in whatever way, or could not be made, the schedule goes on: a bootstrap that
failed shows, and costs no backups. It is had once: by the record on the CronJob, else by the Job,
else by the record in the store, which the Job looks for.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from controller.manifests.overlay import overlay
from controller.manifests.ownership import PENDING, Holder, hold, holder_of
from controller.manifests.reading.identity import identity_of
from controller.manifests.restore_job import RESTORE, RestoreJob, Target, build_restore_job
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import DELETE, Json, is_suspended, uid_of
from controller.model.status import Reason
from controller.plan.absence import format_time
from controller.plan.changes import creation
from controller.plan.context import PlanContext
from controller.plan.holding import let_go
from controller.plan.restores.allowed import cronjob_of, refusal_of
from controller.plan.restores.jobs import (
    NOTHING,
    WEEK,
    Step,
    are_jobs_known,
    find_job,
    follow,
    going_on,
    is_past,
    job_name,
    why_blocked,
)
from controller.runs.restores import RestoreRecord, Stage, read_record
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.restore_values import parse_source, show_text
from dumpers.contract import names as variables
from dumpers.contract.restore.bootstrap import Bootstrap
from dumpers.contract.restore.request import RestoreRequest

# A new database takes minutes to answer; with the Job controller's pauses these are ten of them.
_TRIES = 6
# After this a Job that could not be made is given up: backups are worth more.
_PATIENCE = timedelta(minutes=15)
_NOT_MADE = "its Job could not be made: see the controller's log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrapped:
    """The CronJob as it will be, and what is done and known besides."""

    cronjob: Json
    step: Step = NOTHING


def follow_bootstrap(cronjob: Json, target: Json, context: PlanContext) -> Bootstrapped:
    """Hold or let go a CronJob as its bootstrap that has begun says, and record how it ended."""
    record = read_record(cronjob, names.BOOTSTRAP)
    if record is None or not record.is_open:
        return Bootstrapped(cronjob=target)
    if record.stage is Stage.WAITING:
        after = _begun(record, cronjob, context)
        target = _held_for(after, cronjob, target, context)
    else:
        # Its Job holds the CronJob as any restore does.
        after = follow(record, cronjob, context)
    # It went where nothing was, under whatever name.
    after = replace(after, beside=(), left_out=0)
    return Bootstrapped(cronjob=_marked(target, after), step=_told(after, cronjob, context))


def plan_bootstrap(
    spec: BackupSpec, cronjob: Json | None, target: Json, context: PlanContext
) -> Bootstrapped:
    """Decide about the value that the annotation has now; `cronjob` is None before the first pass.

    `target` is the CronJob as it would be without this.
    """
    value = spec.request.restore_from
    record = read_record(cronjob, names.BOOTSTRAP)
    if cronjob and record and record.is_open:
        return _go_on(spec, record, cronjob, target, context)
    if not value or (record and record.stage is Stage.DONE):
        return Bootstrapped(cronjob=target)
    if record and record.asked == value:
        return Bootstrapped(cronjob=target, step=_told(record, target, context))
    if why := refusal_of(spec, cronjob, context):
        message = f"restore-from {show_text(value)} is refused: {why}; backups go on"
        step = Step(reason=Reason.RESTORE_REFUSED, message=message)
        return Bootstrapped(cronjob=target, step=step)
    if why := _obstacle(cronjob, context):
        # Not held yet: nobody knows for how long.
        return Bootstrapped(cronjob=target, step=Step(message=f"restore-from {value} waits: {why}"))
    waiting = RestoreRecord(
        asked=value,
        stage=Stage.WAITING,
        job=job_name(RESTORE, spec, f"{names.BOOTSTRAP} {value}"),
        at=format_time(context.view.now),
    )
    suspended = is_suspended(target)
    held = overlay(target, hold(Holder(name=waiting.job, uid=PENDING, suspended=suspended)))
    return Bootstrapped(cronjob=_marked(held, waiting), step=_told(waiting, held, context))


def _go_on(
    spec: BackupSpec, record: RestoreRecord, cronjob: Json, target: Json, context: PlanContext
) -> Bootstrapped:
    """Go on with a bootstrap that has begun: with its Job, unless nobody asks for it any more."""
    is_waiting = record.stage is Stage.WAITING
    if is_waiting and record.asked != spec.request.restore_from:
        return Bootstrapped(cronjob=_given_up(cronjob, target))
    followed = follow_bootstrap(cronjob, target, context)
    if is_waiting and _is_waiting(followed.cronjob):
        return _make_job(spec, record, cronjob, followed, context)
    return followed


def _begun(record: RestoreRecord, cronjob: Json, context: PlanContext) -> RestoreRecord:
    """The record of a bootstrap that waits for its Job, by what is known of that now."""
    if not are_jobs_known(context):
        return record
    if find_job(record.job, cronjob, context) is not None:
        return follow(record, cronjob, context)
    is_late = is_past(record.at, _PATIENCE, context.view.now)
    if is_late and not going_on(cronjob, context):
        return replace(record, stage=Stage.FAILED, reason="NoJob", message=_NOT_MADE)
    return record


def _held_for(record: RestoreRecord, cronjob: Json, target: Json, context: PlanContext) -> Json:
    """The target of a CronJob that waits for its Job, held by that, or let go at its end."""
    # Marks that somebody removed say no more what was before: then it goes on.
    holder = holder_of(cronjob) or Holder(name=record.job, uid=PENDING, suspended=False)
    if holder.uid != PENDING:
        # Somebody restores by the command meanwhile.
        return target
    if record.stage is Stage.WAITING:
        return overlay(target, hold(holder))
    job = find_job(record.job, cronjob, context)
    if job is not None and record.stage is Stage.RUNNING:
        return overlay(target, hold(replace(holder, uid=uid_of(job))))
    return let_go(target, holder)


def _make_job(
    spec: BackupSpec,
    record: RestoreRecord,
    cronjob: Json,
    followed: Bootstrapped,
    context: PlanContext,
) -> Bootstrapped:
    """Add the Job of a bootstrap that waits for it."""
    if why := _obstacle(cronjob, context):
        step = replace(followed.step, message=f"restore-from {record.asked} waits: {why}")
        return replace(followed, step=step)
    source = parse_source(record.asked, spec.owner.namespace)
    target = followed.cronjob
    body = build_restore_job(
        target,
        spec.engine,
        Target(cronjob=target),
        RestoreJob(
            backup=source.backup,
            request=RestoreRequest(),
            identity=identity_of(context.settings),
            requested_by=f"restore-from of {spec.owner.key}",
        ),
        VerbJob(
            name=record.job,
            verb=RESTORE,
            deadline=spec.request.deadline,
            keep=WEEK,
            retries=_TRIES,
            account=reader_account(context.settings),
            env={
                variables.CRONJOB: cronjob_of(source, spec),
                variables.BOOTSTRAP: Bootstrap(
                    cronjob=spec.name, owner=spec.owner.uid, asked=record.asked
                ).to_json(),
            },
        ),
    )
    return replace(followed, step=replace(followed.step, change=creation(JOB, body)))


def _obstacle(cronjob: Json | None, context: PlanContext) -> str:
    """What a bootstrap waits for; empty where it can go on."""
    if not are_jobs_known(context):
        return "the workload's Jobs are not known"
    if cronjob and (running := going_on(cronjob, context)):
        return f"the Job {running} has not ended"
    return ""


def _is_waiting(cronjob: Json) -> bool:
    record = read_record(cronjob, names.BOOTSTRAP)
    return record is not None and record.stage is Stage.WAITING


def _given_up(cronjob: Json, target: Json) -> Json:
    """The CronJob of a bootstrap that is not asked for any more, before it had its Job."""
    holder = holder_of(cronjob)
    freed = let_go(target, holder) if holder and holder.uid == PENDING else target
    return overlay(freed, {"metadata": {"annotations": {names.BOOTSTRAP: DELETE}}})


def _marked(target: Json, record: RestoreRecord) -> Json:
    return overlay(target, {"metadata": {"annotations": {names.BOOTSTRAP: record.to_json()}}})


def _told(record: RestoreRecord, cronjob: Json, context: PlanContext) -> Step:
    """What is to be known of a bootstrap; one that is done is no news."""
    what = f"restore-from {record.asked}"
    if record.stage is Stage.RUNNING:
        return Step(message=f"{what} goes on{why_blocked(record, cronjob, context)}")
    if record.stage is not Stage.FAILED:
        return NOTHING
    named = context.settings.identity_secret
    key = f"the private key is that of {named}" if named else "set the value identitySecret"
    hint = f"; {key}" if record.reason == "EncryptionFailed" else ""
    reason = Reason.RESTORE_REFUSED if record.is_refused else Reason.RESTORE_FAILED
    message = f"{what}: {record.reason}: {record.message}{hint}; backups go on"
    return Step(reason=reason, message=message)
