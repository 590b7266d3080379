"""Carries out one workload's plan; a failure stays with its workload (contract section 9.2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.kube.client import (
    RESOURCES,
    ConflictError,
    ForbiddenError,
    Kube,
    KubeError,
    NotLeadingError,
    RefusedError,
    UnavailableError,
)
from controller.kube.object_cache import JsonInterner
from controller.manifests import ownership
from controller.manifests.overlay import field_changes, overlay
from controller.model import names
from controller.model.kinds import CRONJOB, SECRET
from controller.model.objects import Json, annotations_of, name_of, uid_of, version_of
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action, ApplyResult, Change, WorkloadPlan, WrittenObject
from controller.runs.due import due_at, slack_of
from controller.settings.settings import Settings


def execute(
    workload_plan: WorkloadPlan,
    kube: Kube,
    settings: Settings,
    stopping: Callable[[], bool],
    last_written: Mapping[str, WrittenObject],
    *,
    interner: JsonInterner,
) -> ApplyResult:
    """Carry out a plan's changes in order, up to the first that fails or until told to stop.

    A CronJob that only reads backups and is refused is no such failure.

    So a CronJob that is refused leaves no Secret behind (contract section 9.5). `last_written`
    holds by uid what earlier passes wrote: a write that an admission webhook reverted is not
    repeated. `interner` shares the parts of CronJobs that outlive the pass.
    """
    namespace = settings.control_namespace
    result = _carry_out_all(
        workload_plan, kube, namespace, stopping, last_written, interner=interner
    )
    if result.cronjob is workload_plan.kept:
        return replace(result, due=workload_plan.due)
    # As the API server has it now: a write that was refused changed nothing.
    return replace(result, due=due_at(result.cronjob or {}, slack_of(settings)))


def _carry_out_all(
    workload_plan: WorkloadPlan,
    kube: Kube,
    namespace: str,
    stopping: Callable[[], bool],
    last_written: Mapping[str, WrittenObject],
    *,
    interner: JsonInterner,
) -> ApplyResult:
    """See `execute`; the result has no due time."""
    result = ApplyResult(
        workload_plan=workload_plan,
        status=workload_plan.status,
        cronjob=_listed_cronjob(workload_plan),
    )
    for change in workload_plan.changes:
        if stopping():
            break
        uid = uid_of(change.before or {})
        last = last_written.get(uid)
        if last and would_repeat_reverted_write(change, last):
            result = replace(result, last_written=result.last_written | {uid: last})
            continue
        try:
            written = _carry_out(change, result.cronjob, kube, namespace)
        except NotLeadingError:
            # As if told to stop: the controller that leads now carries out plans of its own.
            break
        except KubeError as error:
            if not _is_refused_reader(change, workload_plan, error):
                return replace(result, status=_failure(workload_plan, change, error), failed=True)
            # Nothing stands on what only reads backups, and the other one may be taken.
            status = _without_reader(result.status, change, error)
            result = replace(result, status=status, failed=True)
            continue
        result = replace(result, done=(*result.done, change))
        if written and change.after:
            now = WrittenObject(body=change.after, version=version_of(written))
            result = replace(result, last_written=result.last_written | {uid_of(written): now})
        if _is_dump(change, workload_plan):
            # It is remembered, and the next pass reads the whole CronJob once more beside it.
            result = replace(result, cronjob=written and interner.intern(written))
    return result


def would_repeat_reverted_write(change: Change, last: WrittenObject) -> bool:
    """Whether a change asks for no more than what the last write asked for in vain.

    So it is where the object is still at the version which that write made, but not as it was
    written: an admission webhook rewrites it.
    """
    before = change.before or {}
    if change.action is not Action.UPDATE or last.version != version_of(before):
        return False
    reverted = list(field_changes(before, last.body))
    return all(asked in reverted for asked in field_changes(before, change.after))


def _is_dump(change: Change, workload_plan: WorkloadPlan) -> bool:
    """Whether a change is of the workload's dump CronJob."""
    return (change.kind, change.name) == (CRONJOB, workload_plan.cronjob)


def _is_refused_reader(change: Change, workload_plan: WorkloadPlan, error: KubeError) -> bool:
    """Whether a change that was refused is of a CronJob that reads the workload's backups."""
    is_written = change.kind == CRONJOB and change.action is not Action.DELETE
    is_refused = isinstance(error, RefusedError | ForbiddenError)
    return is_written and is_refused and change.name in names.reader_names(workload_plan.cronjob)


def _listed_cronjob(workload_plan: WorkloadPlan) -> Json | None:
    """Return the CronJob as it was listed, None if there was none."""
    ref = (CRONJOB, workload_plan.cronjob)
    changes = (change for change in workload_plan.changes if (change.kind, change.name) == ref)
    planned = next(changes, None)
    return planned.before if planned else workload_plan.kept


def _carry_out(change: Change, cronjob: Json | None, kube: Kube, namespace: str) -> Json | None:
    """Write one change; return the object as it is now, None if it is deleted."""
    resource = RESOURCES[change.kind]
    if change.action is Action.DELETE:
        meta = (change.before or {})["metadata"]
        uid, version = meta["uid"], meta["resourceVersion"]
        kube.delete(resource, namespace, change.name, uid=uid, version=version)
        return None
    body = change.after or {}
    if change.owned_by and cronjob:
        # The CronJob's uid is only known now if the change before has made it.
        owner = ownership.owner_reference(name_of(cronjob), uid_of(cronjob))
        body = overlay(body, {"metadata": {"ownerReferences": [owner]}})
    if change.action is Action.CREATE:
        return kube.create(resource, namespace, body)
    try:
        return kube.replace(resource, namespace, body)
    except (ConflictError, UnavailableError):
        # It may be done, and only its answer lost: nobody would ever tell of the run that it notes.
        if change.kind == CRONJOB and (found := _as_wanted(change, kube, namespace)):
            return found
        raise


def _as_wanted(change: Change, kube: Kube, namespace: str) -> Json | None:
    """Read the object of a change once; None unless it is known to be what the change wanted."""
    wanted = change.after or {}
    try:
        found = kube.get(RESOURCES[change.kind], namespace, change.name)
    except KubeError:
        return None
    is_same = (uid_of(found), annotations_of(found), found.get("spec")) == (
        uid_of(wanted),
        annotations_of(wanted),
        wanted.get("spec"),
    )
    return found if is_same else None


def _failure(workload_plan: WorkloadPlan, change: Change, error: KubeError) -> WorkloadStatus:
    """Return the workload's status after a write that failed."""
    state = workload_plan.status.state
    if isinstance(error, ConflictError):
        # Somebody was faster; the next pass reads what they did.
        reason = Reason.WRITE_CONFLICT
    elif change.kind == SECRET:
        reason = Reason.SECRET_FAILED
    elif isinstance(error, RefusedError) and _is_dump(change, workload_plan):
        state, reason = State.UNKNOWN, Reason.REFUSED
    else:
        reason = Reason.WRITE_FAILED
    return WorkloadStatus(state=state, reason=reason, message=str(error))


def _without_reader(status: WorkloadStatus, change: Change, error: KubeError) -> WorkloadStatus:
    """Return a workload's status where a CronJob is refused that only reads its backups."""
    why = f"the CronJob {change.name} is refused, which reads the backups; dumps go on: {error}"
    is_fine = status.reason is Reason.ANNOTATED
    return WorkloadStatus(
        state=status.state,
        reason=Reason.READER_REFUSED if is_fine else status.reason,
        message="; ".join(filter(None, (status.message, why))),
    )
