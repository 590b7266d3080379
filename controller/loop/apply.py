"""Carry out one item of a plan; a failure stays with its workload (contract section 9.2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from controller.kube.client import RESOURCES, ConflictError, Kube, KubeError, RefusedError
from controller.manifests import ownership
from controller.model.kinds import CRONJOB
from controller.model.objects import Json, name_of, uid_of, version_of
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import Action, ApplyResult, Change, WorkloadPlan, WrittenObject
from controller.plan.overlay import field_changes, overlay


def execute(
    item: WorkloadPlan,
    kube: Kube,
    namespace: str,
    stopping: Callable[[], bool],
    sent: Mapping[str, WrittenObject],
) -> ApplyResult:
    """Do an item's steps in order, up to the first that fails or until told to stop.

    So a CronJob that is refused leaves no Secret behind (contract section 9.5). What was `sent`
    before in vain, as an admission webhook rewrites it, is not sent again.
    """
    outcome = ApplyResult(workload_plan=item, status=item.status, cronjob=_before(item))
    for step in item.changes:
        if stopping():
            break
        if known := _in_vain(step, sent):
            outcome = replace(outcome, sent=outcome.sent | known)
            continue
        try:
            written = _do(step, outcome.cronjob, kube, namespace)
        except KubeError as error:
            return replace(outcome, status=_failure(item, step, error), failed=True)
        outcome = replace(outcome, done=(*outcome.done, step))
        if written and step.after:
            now = {uid_of(written): WrittenObject(body=step.after, version=version_of(written))}
            outcome = replace(outcome, sent=outcome.sent | now)
        if step.kind == CRONJOB and step.name == item.cronjob:
            outcome = replace(outcome, cronjob=written)
    return outcome


def _before(item: WorkloadPlan) -> Json | None:
    """The CronJob as it was listed, if there was one."""
    changes = (step for step in item.changes if (step.kind, step.name) == (CRONJOB, item.cronjob))
    written = next(changes, None)
    return written.before if written else item.kept


def _in_vain(step: Change, sent: Mapping[str, WrittenObject]) -> dict[str, WrittenObject]:
    """What was sent before, if the object is still as that left it and no more is asked now."""
    before = step.before or {}
    known = sent.get(uid_of(before))
    if step.action is not Action.UPDATE or known is None or known.version != version_of(before):
        return {}
    refused = list(field_changes(before, known.body))
    asked = field_changes(before, step.after)
    return {uid_of(before): known} if all(change in refused for change in asked) else {}


def _do(step: Change, cronjob: Json | None, kube: Kube, namespace: str) -> Json | None:
    resource = RESOURCES[step.kind]
    if step.action is Action.DELETE:
        meta = (step.before or {})["metadata"]
        uid, version = meta["uid"], meta["resourceVersion"]
        kube.delete(resource, namespace, step.name, uid=uid, version=version)
        return None
    body = step.after or {}
    if step.owned_by and cronjob:
        # Its uid is only known now if the step before has made it.
        owner = ownership.owner_reference(name_of(cronjob), uid_of(cronjob))
        body = overlay(body, {"metadata": {"ownerReferences": [owner]}})
    if step.action is Action.CREATE:
        return kube.create(resource, namespace, body)
    return kube.replace(resource, namespace, body)


def _failure(item: WorkloadPlan, step: Change, error: KubeError) -> WorkloadStatus:
    state = item.status.state
    if isinstance(error, ConflictError):
        # Somebody was faster; the next pass reads what they did.
        reason = Reason.WRITE_CONFLICT
    elif step.kind != CRONJOB:
        reason = Reason.SECRET_FAILED
    elif isinstance(error, RefusedError):
        state, reason = State.UNKNOWN, Reason.REFUSED
    else:
        reason = Reason.WRITE_FAILED
    return WorkloadStatus(state=state, reason=reason, message=str(error))
