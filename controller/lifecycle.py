"""What became of the workload of an existing CronJob that nothing wants this pass.

Only certain knowledge makes it gone (contract section 9.1); whatever is not known keeps it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller import names
from controller.config import Settings
from controller.inventory import owner_of
from controller.reasons import Failed, Reason, Rejected, State, Verdict
from controller.view import (
    ClusterView,
    Json,
    NamespaceView,
    ObjectRef,
    annotations_of,
    name_of,
    uid_of,
)
from controller.workloads import READABLE_KINDS, STATEFUL_SET, Workload, Workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How long a workload has been gone: passes in a row, and since when."""

    passes: int
    since: datetime


def judge(
    cronjob: Json,
    namespace: NamespaceView | None,
    found: Workloads,
    standing: frozenset[str],
    refused: Mapping[ObjectRef, Rejected],
) -> Verdict:
    """State of the workload behind a CronJob that is not wanted itself.

    `namespace` is None when it is not watched; `standing` names the CronJobs that are wanted and
    exist; `refused` tells by owner why a workload is not backed up.
    """
    if namespace is None:
        return Verdict(
            state=State.UNWATCHED,
            reason=Reason.NAMESPACE_UNWATCHED,
            message="its namespace is not in WATCH_NAMESPACES",
        )
    if namespace.exists is False:
        return _gone(Reason.NAMESPACE_NOT_FOUND, "its namespace does not exist")
    _, ref = owner_of(cronjob)
    for workload in found.items:
        same_kind = not ref.kind or workload.owner.ref.kind == ref.kind
        if workload.owner.ref.name == ref.name and same_kind and not _lost(workload):
            why = refused.get(workload.owner.ref)
            return Verdict.unknown(why) if why else _succeeded(cronjob, workload, standing)
    return _without_workload(ref, namespace, found)


def streak(cronjob: Json, view: ClusterView) -> Streak:
    """How long it has been gone, this pass included.

    The passes are counted in memory and start again with the process; the time is kept on the
    object. A pass that saw it otherwise starts both anew.
    """
    before = view.gone_passes.get(uid_of(cronjob))
    since = None if before == 0 else _time(annotations_of(cronjob).get(names.GONE_SINCE, ""))
    if since is None or since > view.now:
        since = view.now
    return Streak(passes=(before or 0) + 1, since=since)


def due(found: Streak, settings: Settings, now: datetime) -> bool:
    """Whether it has been gone for long enough to be deleted."""
    grace = timedelta(seconds=settings.gone_grace)
    return found.passes >= settings.gone_passes and now - found.since >= grace


def stamp(moment: datetime) -> str:
    """How a moment is written on an object: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _gone(reason: Reason, message: str) -> Verdict:
    return Verdict(state=State.GONE, reason=reason, message=message)


def _lost(workload: Workload) -> bool:
    """Its pods linger, but the owner was in no list: that is for the single read to settle."""
    request = workload.request
    return isinstance(request, Rejected) and request.reason is Reason.OWNER_NOT_FOUND


def _succeeded(cronjob: Json, workload: Workload, standing: frozenset[str]) -> Verdict:
    if isinstance(workload.request, Rejected):
        return Verdict.unknown(workload.request)
    type_ = workload.request.engine.type
    successor = names.cronjob_name(type_, workload.key)
    # Only once the other backup stands: a rejected or refused one replaces nothing.
    if successor in standing and successor != name_of(cronjob) and workload.type_by_template:
        return Verdict(
            state=State.REPLACED, reason=Reason.TYPE_CHANGED, message=f"it is {type_} now"
        )
    return Verdict(
        state=State.UNKNOWN,
        reason=Reason.TYPE_CHANGED,
        message=f"its pods say {type_}, but that is not backed up for good yet",
    )


def _without_workload(ref: ObjectRef, namespace: NamespaceView, found: Workloads) -> Verdict:
    if isinstance(namespace.pods, Failed):
        return Verdict.unknown(namespace.pods)
    if ref.kind not in READABLE_KINDS:
        kind = ref.kind or "its kind was not recorded, and it"
        return Verdict.unknown(
            Failed(Reason.OWNER_UNREADABLE, f"{kind} cannot be read and shows no annotated pod")
        )
    listed = namespace.owners.get(ref.kind, Failed(Reason.UNAVAILABLE, f"no {ref.kind} was read"))
    if isinstance(listed, Failed):
        return Verdict.unknown(listed)
    if all(name_of(item) != ref.name for item in listed):
        return _without_owner(ref, namespace)
    if found.unresolved and ref.kind != STATEFUL_SET:
        why = "the owner of some pods could not be found out"
        return Verdict.unknown(Failed(Reason.OWNER_UNREADABLE, why))
    return _gone(Reason.DISABLED, "nothing of it says enabled any more")


def _without_owner(ref: ObjectRef, namespace: NamespaceView) -> Verdict:
    """A list that lacks the owner is not enough: it was also read by its name."""
    absent = namespace.absent.get(ref, Failed(Reason.UNAVAILABLE, f"{ref} was not read"))
    if isinstance(absent, Failed):
        return Verdict.unknown(absent)
    if not absent:
        why = f"{ref} exists, but the list did not show it"
        return Verdict.unknown(Failed(Reason.UNAVAILABLE, why))
    return _gone(Reason.OWNER_NOT_FOUND, f"{ref} does not exist any more")
