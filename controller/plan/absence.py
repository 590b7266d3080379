"""What became of the workload behind an existing CronJob that no workload wants in this pass.

Only certain knowledge makes a workload gone (contract section 9.1); anything unknown keeps its
CronJob.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from controller.manifests.ownership import members_of, objects_of, owner_of
from controller.model import names
from controller.model.kinds import READABLE_KINDS, STATEFUL_SET
from controller.model.objects import Json, ObjectRef, annotations_of, name_of, uid_of
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Reason, Rejected, State, WorkloadStatus
from controller.model.view import NamespaceView
from controller.plan.context import PlanContext
from controller.settings.settings import Settings
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.owners import owner_is_enabled
from controller.workloads.workload import Workload

# The owner of a workload's pods was not among the listed owners.
_LOST = frozenset({Reason.OWNER_NOT_FOUND})
# Rejections of a workload whose owner was not seen, though pods of it are there.
_UNSEEN = frozenset({Reason.OWNER_NOT_FOUND, Reason.FORBIDDEN, Reason.UNAVAILABLE})
_UNLISTED = "its namespace is not in WATCH_NAMESPACES"
# Of namespaces that are found by a list, which does not say why one is not among them.
_LEFT = (
    "its namespace is not among the watched ones any more: it was deleted, or is being deleted, or "
    "its labels do not fit WATCH_NAMESPACE_SELECTOR"
)
# From the least certain state to the most certain one.
_CERTAINTY = (State.UNKNOWN, State.REPLACED, State.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """How long a workload has been gone: passes in a row, and since when."""

    passes: int
    since: datetime


def classify_unwanted(
    cronjob: Json,
    context: PlanContext,
    *,
    existing_wanted: frozenset[str],
    rejections: Mapping[ObjectRef, Rejected],
) -> WorkloadStatus:
    """Find out what became of the workload of a CronJob that is not wanted itself.

    `existing_wanted` names the CronJobs that are wanted and exist. `rejections` holds by owner why
    a workload is not backed up.
    """
    if context.watched is None and context.view.unlisted:
        return WorkloadStatus.unknown(context.view.unlisted)
    if context.watched is None:
        return WorkloadStatus(
            state=State.UNWATCHED,
            reason=Reason.NAMESPACE_UNWATCHED,
            message=_LEFT if context.settings.watches_all else _UNLISTED,
        )
    if context.watched.exists is False:
        return _gone(Reason.NAMESPACE_NOT_FOUND, "its namespace does not exist")

    def classify(workload: Workload | None, ref: ObjectRef) -> WorkloadStatus:
        if workload is None or workload.is_rejected_for(_LOST):
            # Pods of it may linger; the single read of the owner settles whether it is gone.
            return _without_workload(ref, context)
        if why := rejections.get(workload.owner.ref):
            return WorkloadStatus.unknown(why)
        return _succeeded(cronjob, workload, existing_wanted)

    _, owner = owner_of(cronjob)
    workload = context.workload(owner)
    if workload is not None and not workload.is_rejected_for(_LOST):
        return classify(workload, owner)
    # The recorded owner is no workload any more, but its members may be part of others.
    by_member = context.workload_by_member
    return _least_certain([classify(by_member.get(ref), ref) for ref in objects_of(cronjob)])


def was_observed(cronjob: Json, context: PlanContext) -> bool:
    """Whether this pass surely saw the CronJob's workload, even if it cannot be backed up."""
    owner = context.workload(owner_of(cronjob)[1])
    found = (owner, *map(context.workload_by_member.get, objects_of(cronjob)))
    return any(item is not None and not item.is_rejected_for(_UNSEEN) for item in found)


def members_to_record(spec: BackupSpec, cronjob: Json, context: PlanContext) -> tuple[Owner, ...]:
    """Members to record on a group's CronJob.

    These are the members seen now, and earlier ones whose deletion is not proven yet.
    """
    found = {owner.ref: owner for owner in spec.members}
    for ref, uid in members_of(cronjob).items():
        workload = context.workload_by_member.get(ref)
        is_elsewhere = workload is not None and not workload.is_rejected_for(_UNSEEN)
        if not is_elsewhere and _without_workload(ref, context).state is State.UNKNOWN:
            found.setdefault(ref, Owner(namespace=context.namespace, ref=ref, uid=uid))
    return tuple(found[ref] for ref in sorted(found))


def absence_of(cronjob: Json, context: PlanContext) -> Absence:
    """How long the CronJob's workload has been gone, this pass included.

    Passes are counted in memory and start again with the process; the time is kept on the CronJob.
    A pass that saw the workload, or could not read it, starts both anew.

    The time on the CronJob is removed as soon as the workload is seen again. Reads that fail leave
    the time there, so after a restart it may stem from an older absence. An unbroken absence ends
    with the grace time, hence a time older than twice the grace is not believed.
    """
    before, now = context.view.gone_passes.get(uid_of(cronjob)), context.view.now
    since = None if before == 0 else _time(annotations_of(cronjob).get(names.GONE_SINCE, ""))
    believed = timedelta.max if before else 2 * timedelta(seconds=context.settings.gone_grace)
    if since is None or not timedelta(0) <= now - since <= believed:
        since = now
    return Absence(passes=(before or 0) + 1, since=since)


def is_deletion_due(found: Absence, settings: Settings, now: datetime) -> bool:
    """Whether a workload has been gone for enough passes and time to delete its CronJob."""
    grace = timedelta(seconds=settings.gone_grace)
    return found.passes >= settings.gone_passes and now - found.since >= grace


def format_time(moment: datetime) -> str:
    """Write a moment as annotations hold it: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        # Near the ends of the calendar a time has no counterpart in UTC.
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _gone(reason: Reason, message: str) -> WorkloadStatus:
    return WorkloadStatus(state=State.GONE, reason=reason, message=message)


def _succeeded(
    cronjob: Json, workload: Workload, existing_wanted: frozenset[str]
) -> WorkloadStatus:
    """Status of a CronJob whose owner is a workload that asks for another CronJob now."""
    if isinstance(workload.request, Rejected):
        return WorkloadStatus.unknown(workload.request)
    own, type_ = name_of(cronjob), workload.request.engine.type
    successor = names.cronjob_name(type_, workload.key)
    regrouped = type_ == names.type_in(own)
    reason = Reason.GROUP_CHANGED if regrouped else Reason.TYPE_CHANGED
    now = workload.key if regrouped else type_
    # Only an existing CronJob replaces this one: a rejected or refused backup does not.
    if successor in existing_wanted and successor != own and workload.type_by_template:
        return WorkloadStatus(state=State.REPLACED, reason=reason, message=f"it is {now} now")
    return WorkloadStatus(
        state=State.UNKNOWN,
        reason=reason,
        message=f"its pods say {now}, but that is not backed up for good yet",
    )


def _least_certain(statuses: list[WorkloadStatus]) -> WorkloadStatus:
    """Status of several objects together: that of the least certain one; unknown without any."""
    if not statuses:
        why = "nothing shows it any more, and its members are not recorded"
        return WorkloadStatus.unknown(ReadFailure(Reason.OWNER_UNREADABLE, why))
    least = min(statuses, key=lambda status: _CERTAINTY.index(status.state))
    if len(statuses) == 1 or least.state is State.UNKNOWN:
        return least
    none = f"none of its {len(statuses)} members asks for this backup any more"
    return replace(least, message=f"{least.message}; {none}")


def _without_workload(ref: ObjectRef, context: PlanContext) -> WorkloadStatus:
    """Status of a recorded owner that belongs to no workload now."""
    namespace = context.watched
    assert namespace is not None
    pods = namespace.pods
    unread = pods if isinstance(pods, ReadFailure) else namespace.unread.get(ref)
    if unread:
        return WorkloadStatus.unknown(unread)
    if ref.kind not in READABLE_KINDS:
        kind = ref.kind or "its kind was not recorded, and it"
        return WorkloadStatus.unknown(
            ReadFailure(
                Reason.OWNER_UNREADABLE, f"{kind} cannot be read and shows no annotated pod"
            )
        )
    listed = namespace.owners.get(
        ref.kind, ReadFailure(Reason.UNAVAILABLE, f"no {ref.kind} was read")
    )
    if isinstance(listed, ReadFailure):
        return WorkloadStatus.unknown(listed)
    owner = next((item for item in listed if name_of(item) == ref.name), None)
    if owner is None:
        return _without_owner(ref, namespace)
    if owner_is_enabled(owner):
        why = f"{ref} says enabled, but it has no pods or another object owns it"
    elif context.found.has_unresolved_owners and ref.kind != STATEFUL_SET:
        why = "the owner of some pods could not be found out"
    else:
        return _gone(Reason.DISABLED, "nothing of it says enabled any more")
    return WorkloadStatus.unknown(ReadFailure(Reason.OWNER_UNREADABLE, why))


def _without_owner(ref: ObjectRef, namespace: NamespaceView) -> WorkloadStatus:
    """Status of an owner that the list lacks: only a read by its name proves that it is gone."""
    absent = namespace.absent.get(ref, ReadFailure(Reason.UNAVAILABLE, f"{ref} was not read"))
    if isinstance(absent, ReadFailure):
        return WorkloadStatus.unknown(absent)
    if not absent:
        why = f"{ref} exists, but the list did not show it"
        return WorkloadStatus.unknown(ReadFailure(Reason.UNAVAILABLE, why))
    return _gone(Reason.OWNER_NOT_FOUND, f"{ref} does not exist any more")
