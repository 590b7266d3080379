"""What restore-forget asks for: one Job for each new value, which drops what restore-now left."""

import json

from controller.manifests.restore_job import FORGET, Target, build_client_job
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.kinds import JOB
from controller.model.objects import Json, created_at
from controller.model.status import Reason
from controller.plan.changes import creation
from controller.plan.context import PlanContext
from controller.plan.restores.jobs import (
    AGAIN,
    NOTHING,
    PAUSE,
    WEEK,
    Step,
    are_jobs_known,
    find_job,
    going_on,
    is_past,
    job_name,
    shown_copies,
    why_blocked,
)
from controller.runs.restores import RestoreRecord, Stage
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.restore_values import check_text, show_text
from dumpers.contract import names as variables

_HOUR = 3600


def plan_forget(
    spec: BackupSpec,
    cronjob: Json,
    target: Json,
    context: PlanContext,
    *,
    restored: RestoreRecord | None,
    forgotten: RestoreRecord | None,
) -> Step:
    """Decide about the value that the annotation has now.

    `restored` is the record of restore-now, `forgotten` that of restore-forget, as they are now.
    """
    value = spec.request.restore_forget
    if not value or (forgotten and forgotten.asked == value):
        return _told(forgotten, value, cronjob, context)
    what = f"restore-forget {show_text(value)}"
    name = job_name(FORGET, spec, value)
    made = find_job(name, cronjob, context)
    if made and not (forgotten and created_at(made) <= forgotten.at):
        known = RestoreRecord(asked=value, stage=Stage.RUNNING, job=name, at=created_at(made))
        return Step(marks={names.RESTORE_FORGET: known.to_json()}, message=f"{what}: it runs")
    if why := _refusal(value, restored, has_job=made is not None):
        return Step(reason=Reason.RESTORE_REFUSED, message=f"{what} is refused: {why}")
    if why := _obstacle(cronjob, forgotten, context):
        return Step(message=f"{what} waits: {why}")
    if restored is None or not restored.beside:
        # Noted, so that it does not drop what a later restore leaves.
        known = RestoreRecord(asked=value, stage=Stage.DONE, message="nothing was there")
        return Step(marks={names.RESTORE_FORGET: known.to_json()})
    body = build_client_job(
        spec.engine,
        Target(cronjob=target),
        VerbJob(
            name=name,
            verb=FORGET,
            deadline=_HOUR,
            keep=WEEK,
            account=reader_account(context.settings),
            env={variables.FORGET: json.dumps(restored.beside, ensure_ascii=False)},
        ),
    )
    return Step(
        change=creation(JOB, body), message=f"{what}: the Job {name} drops {shown_copies(restored)}"
    )


def _refusal(value: str, restored: RestoreRecord | None, *, has_job: bool) -> str:
    """Why a value is not heeded, whatever is waited for; empty where it is."""
    try:
        check_text(value)
    except ValueError as error:
        return f"it {error}"
    has_copy = restored is not None and bool(restored.beside)
    return f"it had its Job before: {AGAIN}" if has_job and has_copy else ""


def _obstacle(cronjob: Json, forgotten: RestoreRecord | None, context: PlanContext) -> str:
    """What the Job waits for; empty where it can begin."""
    if not are_jobs_known(context):
        return "the workload's Jobs are not known"
    if running := going_on(cronjob, context):
        return f"the Job {running} has not ended"
    has_failed = forgotten is not None and forgotten.stage is Stage.FAILED
    if has_failed and forgotten and not is_past(forgotten.at, PAUSE, context.view.now):
        return "the last one failed less than ten minutes ago"
    return ""


def _told(record: RestoreRecord | None, value: str, cronjob: Json, context: PlanContext) -> Step:
    if record is None:
        return NOTHING
    what = f"restore-forget {record.asked}"
    if record.is_open:
        return Step(message=f"{what}: it runs{why_blocked(record, cronjob, context)}")
    if record.stage is Stage.FAILED and value:
        message = f"{what}: {record.reason}: {record.message}; {AGAIN}"
        return Step(reason=Reason.RESTORE_FAILED, message=message)
    return NOTHING
