"""The plan of a workload that is backed up: its manifests, laid over what exists."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from controller.manifests.manifest import dependent_refs, reader_refs
from controller.manifests.overlay import overlay
from controller.manifests.ownership import holder_of, is_ours
from controller.model import names
from controller.model.kinds import CRONJOB
from controller.model.objects import Json, ObjectRef, annotations_of, is_suspended, name_of, uid_of
from controller.model.status import ReadFailure, Reason, Rejected, State, WorkloadStatus
from controller.model.view import ClusterView
from controller.plan import absence
from controller.plan.blocked_runs import (
    blocked_runs_of,
    describe_blocked_run,
    long_waits_of,
)
from controller.plan.changes import Action, Change, WorkloadPlan
from controller.plan.context import PlanContext
from controller.plan.holding import with_hold
from controller.plan.laid_manifests import LaidManifest
from controller.plan.reading.findings import drill_findings, sort_out_readers
from controller.plan.reading.removal import remove_reader
from controller.plan.restores.asked import AskedRestores, plan_restores
from controller.plan.run_now import plan_run_now
from controller.runs import results
from controller.runs.clocks import corrected_ends, ended_by_now
from controller.runs.due import due_at, overdue_message, slack_of
from controller.runs.proving.drills import drill_annotations
from controller.runs.proving.proofs import proof_annotations
from controller.runs.proving.schedules import proof_schedule_marks
from controller.runs.proving.verifications import verification_annotations
from controller.runs.releases.choice import limits_of
from controller.runs.schedule_marks import schedule_marks
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract.names import DEFAULT_CLUSTER

_FINE = Reason.ANNOTATED


def plan_wanted(spec: BackupSpec, context: PlanContext) -> WorkloadPlan:
    """Write what differs from the workload's manifests, and delete what is not among them."""
    owned = context.owned
    existing = owned.cronjob(spec.name)
    made = partial(
        WorkloadPlan,
        namespace=spec.owner.namespace,
        workload=spec.owner.key,
        cronjob=spec.name,
    )
    cluster = _cluster(context.view, existing)
    if isinstance(cluster, ReadFailure):
        due = due_at(existing or {}, slack_of(context.settings))
        return made(status=WorkloadStatus.unknown(cluster), kept=existing, due=due)
    if existing and spec.members:
        spec = replace(spec, members=absence.members_to_record(spec, existing, context))
    dump, *others = context.laid.lay(spec, cluster, context.settings, owned.objects)
    restores = plan_restores(spec, existing, _with_findings(dump, context), context)
    cronjob = with_schedule_marks(restores.cronjob, existing, context.view)
    now = plan_run_now(spec, existing, context)
    if now.marks:
        cronjob = overlay(cronjob, {"metadata": {"annotations": now.marks}})
    changes = [write(dump.ref, dump.before, cronjob)]
    readers, findings = sort_out_readers(spec, others, context)
    findings = [*drill_findings(spec, existing, context), *findings]
    reading = reader_refs(spec.name)
    changes += [_write_laid(item) for item in others if item.ref not in reading]
    changes += _deletions(spec, {dump.ref, *(item.ref for item in others)}, context)
    # Last, so that a Job that is refused does not keep the other changes back, nor a CronJob which
    # only reads backups a Job that somebody waits for.
    changes += [*restores.changes, now.change]
    changes += [_write_laid(item) for item in readers]
    due = due_at(cronjob, slack_of(context.settings))
    late = overdue_message(cronjob, due, context.view.now)
    told = (late, now.message, findings)
    status = _status(spec, cronjob, context, restores, told)
    return made(status=status, changes=tuple(filter(None, changes)), kept=cronjob, due=due)


def write(
    ref: ObjectRef, existing: Json | None, target: Json, owned_by: ObjectRef | None = None
) -> Change | None:
    """The change that makes `target` of an object; None where it is that already."""
    if existing == target:
        return None
    return Change(
        action=Action.UPDATE if existing else Action.CREATE,
        kind=ref.kind,
        name=ref.name,
        owned_by=owned_by,
        before=existing,
        after=target,
    )


def with_results(target: Json, existing: Json | None, context: PlanContext) -> Json:
    """A CronJob with the results of its runs and proofs since its annotations were written."""
    owned, now = context.owned, context.view.now
    jobs, pods = owned.jobs, owned.pods
    if existing is None or isinstance(jobs, ReadFailure) or isinstance(pods, ReadFailure):
        return target
    if corrected := corrected_ends(existing, now):
        corrections = {"metadata": {"annotations": corrected}}
        existing, target = overlay(existing, corrections), overlay(target, corrections)
    runs = ended_by_now(jobs.get(uid_of(existing), ()), now)
    proofs = ended_by_now(owned.proofs.get(name_of(existing), ()), now)
    found = {
        **results.result_annotations(existing, runs, pods, owned.events),
        **proof_annotations(existing, proofs, pods),
        **verification_annotations(target, proofs, pods),
        **drill_annotations(existing, proofs, pods),
    }
    return overlay(target, {"metadata": {"annotations": found}}) if found else target


def with_schedule_marks(target: Json, existing: Json | None, view: ClusterView) -> Json:
    """A CronJob marked with since when it goes by its schedules, or is suspended."""
    marks = {
        **schedule_marks(target, existing, view.now),
        **proof_schedule_marks(target, existing, view.now),
    }
    return overlay(target, {"metadata": {"annotations": marks}}) if marks else target


def _write_laid(item: LaidManifest) -> Change | None:
    return write(item.ref, item.before, item.target, item.owned_by)


def _with_findings(item: LaidManifest, context: PlanContext) -> Json:
    """The whole dump CronJob that a manifest makes, with what its Jobs have told."""
    found = with_results(item.target, item.before, context)
    return with_hold(found, item.before, context.view)


def _deletions(
    spec: BackupSpec, wanted: Collection[ObjectRef], context: PlanContext
) -> Iterator[Change | None]:
    """Delete the objects of this owner, of any component, that are not among its manifests.

    A CronJob with an active Job is suspended, and stays until that Job has ended. One that goes
    with another dump CronJob of the owner is that one's.
    """
    owned = context.owned
    others = owned.others.get((spec.owner.namespace, spec.owner.ref), ()) if owned.others else ()
    # Also where they record another kind of the owner.
    readers = filter(None, map(owned.objects.get, reader_refs(spec.name)))
    cronjobs = {ObjectRef(kind=CRONJOB, name=name_of(item)): item for item in (*others, *readers)}
    for ref in dependent_refs(spec.name):
        existing = None if ref in wanted else owned.objects.get(ref)
        if existing and is_ours(existing, context.settings):
            yield Change(action=Action.DELETE, kind=ref.kind, name=ref.name, before=existing)
    for ref, cronjob in cronjobs.items():
        goes_with = annotations_of(cronjob).get(names.CRONJOB, spec.name)
        if ref in wanted or goes_with != spec.name or not is_ours(cronjob, context.settings):
            continue
        yield remove_reader(cronjob, owned)


def _status(
    spec: BackupSpec,
    cronjob: Json,
    context: PlanContext,
    restores: AskedRestores,
    found: tuple[str, str, Sequence[Rejected]],
) -> WorkloadStatus:
    """The status of a workload that is backed up by this CronJob.

    `found` says since when a good run is late, what a run now waits for, empty where nothing, and
    what keeps its backups from being verified or drilled.
    """
    late, waits, findings = found
    of_readers = next((one.reason for one in findings if one.reason is not _FINE), _FINE)
    reason = restores.reason or (Reason.OVERDUE if late else of_readers)
    messages = [text for text in (*restores.messages, late, waits) if text]
    messages += [one.message for one in findings]
    for run in blocked_runs_of(cronjob, context.owned, context.view):
        reason = Reason.RUN_BLOCKED
        messages.append(f"{describe_blocked_run(run)}; no other run begins before it ends")
    limits = limits_of(context.settings)
    if waits_long := long_waits_of(cronjob, context.owned, context.view, limits):
        reason = Reason.WAITING
        messages += waits_long
    if holder := holder_of(cronjob):
        reason = Reason.HELD
        messages.append(
            f"the Job {holder.name} restores into its database: nothing is dumped meanwhile"
        )
    elif is_suspended(cronjob):
        reason = restores.reason or Reason.SUSPENDED
        messages.append("its CronJob is suspended: nothing is dumped")
    if spec.request.overruled:
        messages.append("encryption is enforced: its own annotations about it are ignored")
    return WorkloadStatus(state=State.WANTED, reason=reason, message="; ".join(messages))


def _cluster(view: ClusterView, existing: Json | None) -> str | ReadFailure:
    """The cluster id. While it cannot be read, the one that the CronJob records must not change.

    Where none is recorded, a forbidden read of the kube-system namespace is a way to run and means
    `default`, and after any other failure the next pass has to try again.
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
