"""What restore-now asks for: a backup of the workload's own, beside its database; and its end.

One Job for each new value, at most one in ten minutes. What one left is forgotten (restore-forget)
before the next one is made. The schedule is not held: nothing that a dump reads is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controller.manifests.ownership import holder_of
from controller.manifests.reading.identity import identity_of
from controller.manifests.restore_job import RESTORE, RestoreJob, Target, build_restore_job
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import Json, created_at
from controller.model.status import Reason
from controller.plan.changes import creation
from controller.plan.context import PlanContext
from controller.plan.restores.forget import plan_forget
from controller.plan.restores.jobs import (
    AGAIN,
    NOTHING,
    PAUSE,
    WEEK,
    Step,
    are_jobs_known,
    find_job,
    follow,
    going_on,
    is_past,
    job_name,
    shown_copies,
    why_blocked,
)
from controller.runs.restores import RestoreRecord, Stage, read_record
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.hosts.chosen import restore_refusal
from controller.workloads.restore_values import parse_backup, show_text
from dumpers.contract.restore.request import RestoreMode, RestoreRequest


def follow_beside(cronjob: Json, context: PlanContext) -> tuple[RestoreRecord | None, ...]:
    """The records of restore-now and restore-forget, as they are now; None without one."""
    restored, forgotten = (
        record and follow(record, cronjob, context)
        for record in (
            read_record(cronjob, names.RESTORE_NOW),
            read_record(cronjob, names.RESTORE_FORGET),
        )
    )
    before = read_record(cronjob, names.RESTORE_FORGET)
    is_done = before and before.is_open and forgotten and forgotten.stage is Stage.DONE
    if restored and is_done:
        restored = replace(restored, beside=(), left_out=0)
    return restored, forgotten


def plan_beside(spec: BackupSpec, cronjob: Json, target: Json, context: PlanContext) -> list[Step]:
    """Decide about the values that the two annotations have now.

    `cronjob` is as it was listed, `target` as it will be.
    """
    restored, forgotten = follow_beside(cronjob, context)
    return [
        Step(marks=marks_of(restored, forgotten)),
        _plan_restore(spec, cronjob, target, context, restored),
        plan_forget(spec, cronjob, target, context, restored=restored, forgotten=forgotten),
    ]


def marks_of(restored: RestoreRecord | None, forgotten: RestoreRecord | None) -> Mapping[str, str]:
    """The annotations that hold the records of the two."""
    records = ((names.RESTORE_NOW, restored), (names.RESTORE_FORGET, forgotten))
    return {key: record.to_json() for key, record in records if record}


def _plan_restore(
    spec: BackupSpec,
    cronjob: Json,
    target: Json,
    context: PlanContext,
    record: RestoreRecord | None,
) -> Step:
    value = spec.request.restore_now
    if not value or (record and record.asked == value):
        return _told(record, value, cronjob, context) if record else NOTHING
    what = f"restore-now {show_text(value)}"
    name = job_name(RESTORE, spec, value)
    made = find_job(name, cronjob, context)
    if made and not (record and created_at(made) <= record.at):
        known = RestoreRecord(asked=value, stage=Stage.RUNNING, job=name, at=created_at(made))
        return Step(
            marks={names.RESTORE_NOW: known.to_json()},
            reason=Reason.RESTORING_BESIDE,
            message=f"{what}: the Job {name} restores beside the database",
        )
    if why := _refusal(spec, record, context, has_job=made is not None):
        return Step(reason=Reason.RESTORE_REFUSED, message=f"{what} is refused: {why}")
    if why := _obstacle(cronjob, record, context):
        told = _told(record, "", cronjob, context) if record else NOTHING
        return replace(told, message=f"{what} waits: {why}")
    body = build_restore_job(
        target,
        spec.engine,
        Target(cronjob=target),
        RestoreJob(
            backup=parse_backup(value),
            request=RestoreRequest(mode=RestoreMode.BESIDE),
            identity=identity_of(context.settings),
            requested_by=f"restore-now of {spec.owner.key}",
        ),
        VerbJob(
            name=name,
            verb=RESTORE,
            deadline=WEEK,
            keep=WEEK,
            account=reader_account(context.settings),
        ),
    )
    return Step(
        change=creation(JOB, body),
        reason=Reason.RESTORING_BESIDE,
        message=f"{what}: the Job {name} restores beside the database",
    )


def _refusal(
    spec: BackupSpec, record: RestoreRecord | None, context: PlanContext, *, has_job: bool
) -> str:
    """Why a value cannot be restored until somebody changes something; empty where it can."""
    try:
        parse_backup(spec.request.restore_now)
    except ValueError as error:
        return f"it {error}"
    assert context.watched is not None
    if why := restore_refusal(spec.request, context.watched):
        return why
    if record and record.beside:
        return (
            f"the copy {shown_copies(record)} of {record.asked} stands beside the database: "
            "give restore-forget a new value first, which drops it"
        )
    if spec.request.recipient and not context.settings.identity_secret:
        return (
            "its backups are encrypted, and the value identitySecret names no Secret with the "
            "private key: set it, or restore by the command with -i"
        )
    return f"it had its Job before: {AGAIN}" if has_job else ""


def _obstacle(cronjob: Json, record: RestoreRecord | None, context: PlanContext) -> str:
    """What a restore waits for; empty where it can begin."""
    if not are_jobs_known(context):
        return "the workload's Jobs are not known"
    if holder := holder_of(cronjob):
        return f"the Job {holder.name} restores into its database"
    if running := going_on(cronjob, context):
        return f"the Job {running} has not ended"
    if record and not is_past(record.at, PAUSE, context.view.now):
        return f"the last one was made at {record.at}, and there is one in ten minutes at most"
    return ""


def _told(record: RestoreRecord, value: str, cronjob: Json, context: PlanContext) -> Step:
    """What is to be known of the last restore; of one that failed as long as its value is there."""
    what = f"restore-now {record.asked}"
    if record.is_open:
        blocked = why_blocked(record, cronjob, context)
        message = f"{what}: the Job {record.job} restores beside the database{blocked}"
        return Step(reason=Reason.RESTORING_BESIDE, message=message)
    if record.stage is Stage.FAILED and (value or record.beside):
        reason = Reason.RESTORE_REFUSED if record.is_refused else Reason.RESTORE_FAILED
        return Step(reason=reason, message=f"{what}: {'; '.join(_failure(record, context))}")
    if record.beside:
        message = (
            f"{what}: backup {record.backup} of {record.began} stands beside the database as "
            f"{shown_copies(record)}, until restore-forget gets a new value"
        )
        return Step(reason=Reason.RESTORED_BESIDE, message=message)
    return NOTHING


def _failure(record: RestoreRecord, context: PlanContext) -> Iterator[str]:
    yield f"{record.reason}: {record.message}"
    if record.reason == "EncryptionFailed":
        named = context.settings.identity_secret
        yield f"the private key is that of {named}" if named else "set the value identitySecret"
    if record.beside:
        yield f"it left {shown_copies(record)}, until restore-forget gets a new value"
