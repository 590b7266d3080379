"""Carry out one item of a plan; a failure stays with its workload (contract section 9.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from controller import desired
from controller.api import RESOURCES, ConflictError, Kube, KubeError, RefusedError
from controller.diff import overlay
from controller.inventory import CRONJOB
from controller.planning import Item, Step, Verb
from controller.reasons import Reason, State, Verdict
from controller.view import Json, name_of, uid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An item as it came out. `done` are the steps that were carried out.

    `cronjob` is the CronJob as it is now, None without one; `failed` says that a step was not
    done, which `verdict` then tells.
    """

    item: Item
    verdict: Verdict
    done: tuple[Step, ...] = ()
    cronjob: Json | None = field(default=None, repr=False)
    failed: bool = False


def execute(item: Item, kube: Kube, namespace: str, stopping: Callable[[], bool]) -> Outcome:
    """Do an item's steps in order, up to the first that fails or until told to stop.

    So a CronJob that is refused leaves no Secret behind (contract section 9.5).
    """
    outcome = Outcome(item=item, verdict=item.verdict, cronjob=_before(item))
    for step in item.steps:
        if stopping():
            break
        try:
            written = _do(step, outcome.cronjob, kube, namespace)
        except KubeError as error:
            return replace(outcome, verdict=_failure(item, step, error), failed=True)
        outcome = replace(outcome, done=(*outcome.done, step))
        if step.kind == CRONJOB:
            outcome = replace(outcome, cronjob=written)
    return outcome


def _before(item: Item) -> Json | None:
    """The CronJob as it was listed, if there was one."""
    written = next((step for step in item.steps if step.kind == CRONJOB), None)
    return written.before if written else item.kept


def _do(step: Step, cronjob: Json | None, kube: Kube, namespace: str) -> Json | None:
    resource = RESOURCES[step.kind]
    if step.verb is Verb.DELETE:
        meta = (step.before or {})["metadata"]
        uid, version = meta["uid"], meta["resourceVersion"]
        kube.delete(resource, namespace, step.name, uid=uid, version=version)
        return None
    body = step.after or {}
    if step.kind != CRONJOB and cronjob:
        # Its uid is only known now if the step before has made it.
        owner = desired.owner_reference(name_of(cronjob), uid_of(cronjob))
        body = overlay(body, {"metadata": {"ownerReferences": [owner]}})
    if step.verb is Verb.CREATE:
        return kube.create(resource, namespace, body)
    return kube.replace(resource, namespace, body)


def _failure(item: Item, step: Step, error: KubeError) -> Verdict:
    state = item.verdict.state
    if isinstance(error, ConflictError):
        # Somebody was faster; the next pass reads what they did.
        reason = Reason.WRITE_CONFLICT
    elif step.kind != CRONJOB:
        reason = Reason.SECRET_FAILED
    elif isinstance(error, RefusedError):
        state, reason = State.UNKNOWN, Reason.REFUSED
    else:
        reason = Reason.WRITE_FAILED
    return Verdict(state=state, reason=reason, message=str(error))
