"""What became of the workload of an existing CronJob that nothing wants this pass.

Only certain knowledge makes it gone (contract section 9.1); whatever is not known keeps it.
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
from controller.workloads.discovery import Workload
from controller.workloads.owners import owner_is_enabled

_LOST = frozenset({Reason.OWNER_NOT_FOUND})
# Why a workload is not known to exist, though pods of it are there.
_UNSEEN = frozenset({Reason.OWNER_NOT_FOUND, Reason.FORBIDDEN, Reason.UNAVAILABLE})
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
    if context.watched is None:
        return WorkloadStatus(
            state=State.UNWATCHED,
            reason=Reason.NAMESPACE_UNWATCHED,
            message="its namespace is not in WATCH_NAMESPACES",
        )
    if context.watched.exists is False:
        return _gone(Reason.NAMESPACE_NOT_FOUND, "its namespace does not exist")

    def of(workload: Workload | None, ref: ObjectRef) -> WorkloadStatus:
        if workload is None or _rejected_as(workload, _LOST):
            # Its pods may linger; the single read of the owner settles it.
            return _without_workload(ref, context)
        why = rejections.get(workload.owner.ref)
        return (
            WorkloadStatus.unknown(why) if why else _succeeded(cronjob, workload, existing_wanted)
        )

    _, ref = owner_of(cronjob)
    workload = context.workload(ref)
    if workload is not None and not _rejected_as(workload, _LOST):
        return of(workload, ref)
    # It is none any more, but what it was made of may be others.
    return _of_all([of(context.workload_by_member.get(item), item) for item in objects_of(cronjob)])


def was_observed(cronjob: Json, context: PlanContext) -> bool:
    """Whether the workload was surely seen, whatever keeps it from being backed up."""
    owner = context.workload(owner_of(cronjob)[1])
    found = (owner, *map(context.workload_by_member.get, objects_of(cronjob)))
    return any(item is not None and not _rejected_as(item, _UNSEEN) for item in found)


def members_to_record(spec: BackupSpec, cronjob: Json, context: PlanContext) -> tuple[Owner, ...]:
    """The members of a group to record on its CronJob: those before stay until surely gone."""
    found = {owner.ref: owner for owner in spec.members}
    for ref, uid in members_of(cronjob).items():
        holder = context.workload_by_member.get(ref)
        elsewhere = holder is not None and not _rejected_as(holder, _UNSEEN)
        if not elsewhere and _without_workload(ref, context).state is State.UNKNOWN:
            found.setdefault(ref, Owner(namespace=context.namespace, ref=ref, uid=uid))
    return tuple(found[ref] for ref in sorted(found))


def absence_of(cronjob: Json, context: PlanContext) -> Absence:
    """How long it has been gone, this pass included.

    The passes are counted in memory and start again with the process; the time is kept on the
    object. A pass that saw it otherwise starts both anew, and so does one that could not read.

    What is kept on the object goes as soon as the workload is seen again. Reads that fail leave
    it, so after a restart it may stand for an older absence: an unbroken one ends at the grace
    time, hence beyond twice that time it is not believed.
    """
    before, now = context.view.gone_passes.get(uid_of(cronjob)), context.view.now
    since = None if before == 0 else _time(annotations_of(cronjob).get(names.GONE_SINCE, ""))
    believed = timedelta.max if before else 2 * timedelta(seconds=context.settings.gone_grace)
    if since is None or not timedelta(0) <= now - since <= believed:
        since = now
    return Absence(passes=(before or 0) + 1, since=since)


def is_deletion_due(found: Absence, settings: Settings, now: datetime) -> bool:
    """Whether it has been gone for long enough to be deleted."""
    grace = timedelta(seconds=settings.gone_grace)
    return found.passes >= settings.gone_passes and now - found.since >= grace


def format_time(moment: datetime) -> str:
    """How a moment is written on an object: RFC 3339, UTC, whole seconds."""
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


def _rejected_as(workload: Workload, reasons: frozenset[Reason]) -> bool:
    return isinstance(workload.request, Rejected) and workload.request.reason in reasons


def _succeeded(
    cronjob: Json, workload: Workload, existing_wanted: frozenset[str]
) -> WorkloadStatus:
    if isinstance(workload.request, Rejected):
        return WorkloadStatus.unknown(workload.request)
    own, type_ = name_of(cronjob), workload.request.engine.type
    successor = names.cronjob_name(type_, workload.key)
    regrouped = type_ == names.type_in(own)
    reason = Reason.GROUP_CHANGED if regrouped else Reason.TYPE_CHANGED
    now = workload.key if regrouped else type_
    # Only once the other backup stands: a rejected or rejections one replaces nothing.
    if successor in existing_wanted and successor != own and workload.type_by_template:
        return WorkloadStatus(state=State.REPLACED, reason=reason, message=f"it is {now} now")
    return WorkloadStatus(
        state=State.UNKNOWN,
        reason=reason,
        message=f"its pods say {now}, but that is not backed up for good yet",
    )


def _of_all(statuses: list[WorkloadStatus]) -> WorkloadStatus:
    """What became of several objects together: they are as certain as the least certain one."""
    if not statuses:
        why = "nothing shows it any more, and its members are not recorded"
        return WorkloadStatus.unknown(ReadFailure(Reason.OWNER_UNREADABLE, why))
    least = min(statuses, key=lambda status: _CERTAINTY.index(status.state))
    if len(statuses) == 1 or least.state is State.UNKNOWN:
        return least
    none = f"none of its {len(statuses)} members asks for this backup any more"
    return replace(least, message=f"{least.message}; {none}")


def _without_workload(ref: ObjectRef, context: PlanContext) -> WorkloadStatus:
    namespace = context.watched
    assert namespace is not None
    lost = namespace.pods if isinstance(namespace.pods, ReadFailure) else namespace.unread.get(ref)
    if lost:
        return WorkloadStatus.unknown(lost)
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
    elif context.found.unresolved and ref.kind != STATEFUL_SET:
        why = "the owner of some pods could not be found out"
    else:
        return _gone(Reason.DISABLED, "nothing of it says enabled any more")
    return WorkloadStatus.unknown(ReadFailure(Reason.OWNER_UNREADABLE, why))


def _without_owner(ref: ObjectRef, namespace: NamespaceView) -> WorkloadStatus:
    """A list that lacks the owner is not enough: it was also read by its name."""
    absent = namespace.absent.get(ref, ReadFailure(Reason.UNAVAILABLE, f"{ref} was not read"))
    if isinstance(absent, ReadFailure):
        return WorkloadStatus.unknown(absent)
    if not absent:
        why = f"{ref} exists, but the list did not show it"
        return WorkloadStatus.unknown(ReadFailure(Reason.UNAVAILABLE, why))
    return _gone(Reason.OWNER_NOT_FOUND, f"{ref} does not exist any more")
