"""What to do with every CronJob and Secret of one namespace's workloads, each with its reason."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from controller.manifests import ownership
from controller.manifests.cronjob import build_cronjob
from controller.manifests.ownership import is_ours, owner_of
from controller.manifests.secret import build_secret
from controller.model import names
from controller.model.fault_boundary import FaultBoundary
from controller.model.kinds import CRONJOB, SECRET
from controller.model.objects import (
    Json,
    ObjectRef,
    annotations_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.model.status import ReadFailure, Reason, Rejected, State, WorkloadStatus
from controller.model.view import ClusterView
from controller.plan import absence, name_conflicts
from controller.plan.changes import FAULT, Action, Change, Plan, WorkloadPlan
from controller.plan.context import PlanContext
from controller.plan.overlay import overlay
from controller.plan.owned import OwnedObjects
from controller.runs import results
from controller.settings.settings import UnwatchedPolicy
from controller.workloads import backup_spec
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.discovery import Workload
from dumpers.contract.names import DEFAULT_CLUSTER


def namespaces(view: ClusterView, inventory: OwnedObjects) -> tuple[str, ...]:
    """The namespaces to plan for: the watched ones, and those that existing CronJobs come from."""
    return tuple(sorted({*inventory.ours, *view.namespaces}))


def plan(scope: PlanContext, isolate: FaultBoundary) -> Plan:
    """Decide for one namespace, from nothing but its scope; a fault stays with its workload."""
    inventory, found = scope.owned, scope.found
    wanted: dict[str, BackupSpec] = {}
    refused: dict[ObjectRef, Rejected] = {}
    for workload in found.items:
        spec = isolate(workload.key, partial(_parse, workload, scope)) or FAULT
        if isinstance(spec, BackupSpec):
            wanted[spec.name] = spec
        else:
            refused[workload.owner.ref] = spec
    existing = inventory.ours.get(scope.namespace, {})
    remembered = {uid_of(cronjob): 0 for cronjob in existing.values()}
    items = [
        isolate(name, partial(_wanted, spec, scope)) or _faulty(scope, spec.owner.key, name)
        for name, spec in wanted.items()
    ]
    # What is yet to be made replaces nothing.
    standing = frozenset(name for name in wanted if name in inventory.cronjobs)
    for name, cronjob in existing.items():
        if name not in wanted:
            verdict = absence.classify_unwanted(cronjob, scope, standing, refused)
            judged = partial(_unwanted, cronjob, verdict, scope)
            key = annotations_of(cronjob)[names.OWNER]
            item, passes = isolate(name, judged) or (_faulty(scope, key, name), 0)
            items.append(item)
            remembered[uid_of(cronjob)] = passes
    recorded = {owner_of(cronjob)[1] for cronjob in existing.values()}
    items += [
        _rejected(workload, refused[workload.owner.ref])
        for workload in found.items
        if workload.owner.ref in refused and not _stands(workload.owner.ref, recorded)
    ]
    return Plan(items=tuple(sorted(items, key=_order)), gone_passes=remembered)


def _parse(workload: Workload, scope: PlanContext) -> BackupSpec | Rejected:
    if failed := scope.owned.failed:
        return Rejected(failed.reason, failed.message)
    spec = backup_spec.build_spec(workload, scope.around(workload))
    if isinstance(spec, Rejected):
        return spec
    return name_conflicts.check(workload, spec, scope) or spec


def _stands(ref: ObjectRef, recorded: set[ObjectRef]) -> bool:
    """Whether a CronJob, and so an item, stands for this owner already."""
    return ref in recorded or ObjectRef(kind="", name=ref.name) in recorded


def _wanted(spec: BackupSpec, scope: PlanContext) -> WorkloadPlan:
    inventory, settings = scope.owned, scope.settings
    existing = inventory.cronjobs.get(spec.name)
    item = WorkloadPlan(
        namespace=spec.owner.namespace,
        workload=spec.owner.key,
        cronjob=spec.name,
        status=WorkloadStatus(state=State.WANTED, reason=Reason.ANNOTATED),
    )
    cluster = _cluster(scope.view, existing)
    if isinstance(cluster, ReadFailure):
        return replace(item, status=WorkloadStatus.unknown(cluster), kept=existing)
    if existing and spec.members:
        spec = replace(spec, members=absence.members_to_record(spec, existing, scope))
    target = overlay(existing, build_cronjob(spec, settings, cluster, existing))
    target = _with_results(target, existing, inventory)
    steps = [_write(CRONJOB, existing, target)]
    uid = uid_of(existing) if existing else ""
    # The second is the mirrored Secret's name before 0.6.0.
    left_over = [names.secret_name(spec.name), spec.name]
    if (mirrored := build_secret(spec, settings, uid)) is not None:
        secret = inventory.secrets.get(left_over.pop(0))
        steps.append(_write(SECRET, secret, overlay(secret, mirrored)))
    steps += [
        Change(action=Action.DELETE, kind=SECRET, name=name, before=old)
        for name in left_over
        if (old := inventory.secrets.get(name)) and is_ours(old, settings)
    ]
    verdict = _verdict(spec, target)
    return replace(item, status=verdict, changes=tuple(filter(None, steps)), kept=target)


def _verdict(spec: BackupSpec, cronjob: Json) -> WorkloadStatus:
    """What there is to say of a workload that is backed up."""
    suspended = cronjob["spec"].get("suspend") is True
    message = "its CronJob is suspended: nothing is dumped" if suspended else ""
    if spec.request.overruled:
        overruled = "encryption is enforced: its own annotations about it are ignored"
        message = f"{message}; {overruled}" if message else overruled
    reason = Reason.SUSPENDED if suspended else Reason.ANNOTATED
    return WorkloadStatus(state=State.WANTED, reason=reason, message=message)


def _cluster(view: ClusterView, existing: Json | None) -> str | ReadFailure:
    """The cluster id; while it cannot be read, the recorded one must not change.

    Without any: no right to read the kube-system namespace is a way to run, and means `default`;
    a read that failed otherwise is to be waited for.
    """
    if not isinstance(view.cluster, ReadFailure):
        return view.cluster
    recorded = annotations_of(existing).get(names.CLUSTER) if existing else None
    if recorded:
        return recorded
    if view.cluster.reason is Reason.FORBIDDEN:
        return DEFAULT_CLUSTER
    return ReadFailure(
        Reason.CLUSTER_UNKNOWN, f"the cluster id is not known: {view.cluster.message}"
    )


def _write(kind: str, existing: Json | None, target: Json) -> Change | None:
    if existing == target:
        return None
    verb = Action.UPDATE if existing else Action.CREATE
    return Change(action=verb, kind=kind, name=name_of(target), before=existing, after=target)


def _with_results(target: Json, existing: Json | None, inventory: OwnedObjects) -> Json:
    jobs, pods = inventory.jobs, inventory.pods
    if existing is None or isinstance(jobs, ReadFailure) or isinstance(pods, ReadFailure):
        return target
    told = results.result_annotations(
        existing, jobs.get(uid_of(existing), ()), pods, inventory.events
    )
    return overlay(target, {"metadata": {"annotations": told}}) if told else target


def _unwanted(
    cronjob: Json, verdict: WorkloadStatus, scope: PlanContext
) -> tuple[WorkloadPlan, int]:
    """The item of a CronJob that is not wanted, and its passes gone in a row."""
    namespace, _ = owner_of(cronjob)
    item = WorkloadPlan(
        namespace=namespace,
        workload=annotations_of(cronjob)[names.OWNER],
        cronjob=name_of(cronjob),
        status=verdict,
    )
    target, passes = cronjob, 0
    if _leaves(verdict, scope.settings.unwatched_policy):
        gone = absence.absence_of(cronjob, scope)
        passes = gone.passes
        due = absence.is_deletion_due(gone, scope.settings, scope.view.now)
        if due and _idle(cronjob, scope.owned):
            return replace(item, changes=tuple(_deletion(cronjob, scope))), passes
        since = {names.GONE_SINCE: absence.format_time(gone.since)}
        target = overlay(cronjob, {"metadata": {"annotations": since}})
    elif absence.was_observed(cronjob, scope):
        target = overlay(cronjob, {"metadata": {"annotations": {names.GONE_SINCE: None}}})
    if names.INSTANCE in annotations_of(cronjob):
        target = _with_results(target, cronjob, scope.owned)
    steps = tuple(filter(None, [_write(CRONJOB, cronjob, target)]))
    return replace(item, changes=steps, kept=target), passes


def _leaves(verdict: WorkloadStatus, policy: UnwatchedPolicy) -> bool:
    if verdict.state is State.UNWATCHED:
        return policy is UnwatchedPolicy.DELETE
    return verdict.state in {State.GONE, State.REPLACED}


def _idle(cronjob: Json, inventory: OwnedObjects) -> bool:
    """Whether it is known that no Job of it is active, and which Secret goes with it."""
    jobs = inventory.jobs
    if isinstance(jobs, ReadFailure) or inventory.failed:
        return False
    return not results.has_active_job(cronjob, jobs.get(uid_of(cronjob), ()))


def _deletion(cronjob: Json, scope: PlanContext) -> Iterator[Change]:
    """The CronJob goes and takes its Secrets along: they name it as owner, or first come to."""
    name, uid = name_of(cronjob), uid_of(cronjob)
    for secret_name in (names.secret_name(name), name):
        secret = scope.owned.secrets.get(secret_name)
        if secret and is_ours(secret, scope.settings):
            owner = {"ownerReferences": [ownership.owner_reference(name, uid)]}
            if all(item.get("uid") != uid for item in owner_references(secret)):
                adopted = overlay(secret, {"metadata": owner})
                yield Change(
                    action=Action.UPDATE,
                    kind=SECRET,
                    name=secret_name,
                    before=secret,
                    after=adopted,
                )
    yield Change(action=Action.DELETE, kind=CRONJOB, name=name, before=cronjob)


def _faulty(scope: PlanContext, workload: str, cronjob: str) -> WorkloadPlan:
    """What a fault of our own leaves of an item: its CronJob as it is."""
    return WorkloadPlan(
        namespace=scope.namespace,
        workload=workload,
        cronjob=cronjob,
        status=WorkloadStatus.unknown(FAULT),
        kept=scope.owned.cronjobs.get(cronjob),
    )


def _rejected(workload: Workload, why: Rejected) -> WorkloadPlan:
    return WorkloadPlan(
        namespace=workload.owner.namespace,
        workload=workload.key,
        cronjob="",
        status=WorkloadStatus.unknown(why),
    )


def _order(item: WorkloadPlan) -> tuple[str, str, str]:
    return item.workload, item.cronjob, item.status.reason
