"""The plan of an existing CronJob that no workload wants in this pass: kept, noted or deleted."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controller.manifests.manifest import dependent_refs, reader_refs
from controller.manifests.overlay import overlay
from controller.manifests.ownership import is_ours, owner_of, owner_reference
from controller.model import names
from controller.model.kinds import CRONJOB
from controller.model.objects import (
    DELETE,
    Json,
    ObjectRef,
    annotations_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.model.status import Rejected, State, WorkloadStatus
from controller.plan import absence
from controller.plan.changes import Action, Change, WorkloadPlan
from controller.plan.context import PlanContext
from controller.plan.holding import with_hold
from controller.plan.reading.removal import suspend_reader
from controller.plan.restores.asked import follow_restores
from controller.plan.wanted import with_results, with_schedule_marks, write
from controller.runs.due import due_at, slack_of
from controller.settings.choices import UnwatchedPolicy


def plan_unwanted(
    cronjob: Json,
    context: PlanContext,
    existing_wanted: frozenset[str],
    rejections: Mapping[ObjectRef, Rejected],
) -> tuple[WorkloadPlan, int]:
    """The plan of an unwanted CronJob, and how many passes in a row saw its workload gone."""
    status = absence.classify_unwanted(
        cronjob, context, existing_wanted=existing_wanted, rejections=rejections
    )
    namespace, _ = owner_of(cronjob)
    name = name_of(cronjob)
    made = WorkloadPlan(
        namespace=namespace,
        workload=annotations_of(cronjob)[names.OWNER],
        cronjob=name,
        status=status,
    )
    target, passes = cronjob, 0
    stopped: tuple[Change, ...] = ()
    if _may_delete(status, context.settings.unwatched_policy):
        gone = absence.absence_of(cronjob, context)
        passes = gone.passes
        is_due = absence.is_deletion_due(gone, context.settings, context.view.now)
        reading = [item for item in _readers(cronjob, context) if not context.owned.is_idle(item)]
        is_idle = not reading and _are_read(cronjob, context) and context.owned.is_idle(cronjob)
        if is_due and is_idle:
            return replace(made, changes=tuple(_deletion(cronjob, context))), passes
        if is_due:
            # Else one that is mostly at work would keep all of it for ever.
            stopped = tuple(filter(None, map(suspend_reader, reading)))
        since = {names.GONE_SINCE: absence.format_time(gone.since)}
        target = overlay(cronjob, {"metadata": {"annotations": since}})
    elif absence.was_observed(cronjob, context):
        target = overlay(cronjob, {"metadata": {"annotations": {names.GONE_SINCE: DELETE}}})
    if names.INSTANCE in annotations_of(cronjob):
        target = with_results(target, cronjob, context)
        target = with_hold(target, cronjob, context.view)
        target = follow_restores(cronjob, target, context)
        target = with_schedule_marks(target, cronjob, context.view)
    change = write(ObjectRef(kind=CRONJOB, name=name), cronjob, target)
    due = due_at(target, slack_of(context.settings))
    changes = (*([change] if change else ()), *stopped)
    return replace(made, changes=changes, kept=target, due=due), passes


def _may_delete(status: WorkloadStatus, policy: UnwatchedPolicy) -> bool:
    """Whether a CronJob of this status is deleted once it has been so for long enough."""
    if status.state is State.UNWATCHED:
        return policy is UnwatchedPolicy.DELETE
    return status.state in {State.GONE, State.REPLACED}


def _are_read(cronjob: Json, context: PlanContext) -> bool:
    """Whether none of the CronJobs that read its backups may be there unseen."""
    unread = context.view.control.unread
    return not any(ref in unread for ref in reader_refs(name_of(cronjob)))


def _readers(cronjob: Json, context: PlanContext) -> list[Json]:
    """The CronJobs of ours that read the backups of a dump CronJob."""
    found = map(context.owned.objects.get, reader_refs(name_of(cronjob)))
    return [item for item in found if item and is_ours(item, context.settings)]


def _deletion(cronjob: Json, context: PlanContext) -> Iterator[Change]:
    """Delete the CronJob, which takes along what names it as owner.

    Its dependents that do not name it yet come to first.
    """
    name, uid = name_of(cronjob), uid_of(cronjob)
    owner = ObjectRef(kind=CRONJOB, name=name)
    for ref in (*dependent_refs(name), *reader_refs(name)):
        dependent = context.owned.objects.get(ref)
        if dependent is None or not is_ours(dependent, context.settings):
            continue
        if all(reference.get("uid") != uid for reference in owner_references(dependent)):
            adoption = {"metadata": {"ownerReferences": [owner_reference(name, uid)]}}
            yield Change(
                action=Action.UPDATE,
                kind=ref.kind,
                name=ref.name,
                owned_by=owner,
                before=dependent,
                after=overlay(dependent, adoption),
            )
    yield Change(action=Action.DELETE, kind=CRONJOB, name=name, before=cronjob)
