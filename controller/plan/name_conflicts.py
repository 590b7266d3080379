"""Who may have the name of a CronJob: two installs, two kinds, one name (contract 9.1, 9.15)."""

from controller.manifests.manifest import manifest_refs
from controller.manifests.ownership import instance_note, is_ours, objects_of, owner_of
from controller.model import names
from controller.model.objects import Json
from controller.model.status import Reason, Rejected, State
from controller.plan import absence
from controller.plan.context import PlanContext
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.workload import Workload


def check(workload: Workload, spec: BackupSpec, context: PlanContext) -> Rejected | None:
    """Why a workload that could be backed up must not have its CronJob's name; None if it may."""
    unread = context.view.control.unread
    for ref in manifest_refs(spec.name):
        if unread and (failed := unread.get(ref)):
            return Rejected(failed.reason, failed.message)
        existing = context.owned.objects.get(ref)
        if existing and not is_ours(existing, context.settings):
            message = f"the {ref.kind} {ref.name} is not ours{instance_note(existing)}"
            return Rejected(Reason.NAME_TAKEN, message)
    cronjob = context.owned.cronjob(spec.name)
    if cronjob:
        namespace, recorded_owner = owner_of(cronjob)
        recorded_key = names.owner_key(namespace, recorded_owner.name)
        # Both keys lead to this name: their hashes are the same.
        if recorded_owner.name and recorded_key != workload.key:
            message = f"the CronJob {spec.name} belongs to {recorded_key}"
            return Rejected(Reason.NAME_TAKEN, message)
        kind = recorded_owner.kind
        if kind == workload.owner.ref.kind or _continues(workload, cronjob, context):
            return None
        if kind and not _abandoned(cronjob, context):
            return _taken(spec, kind)
    # Nobody has the name yet, or it passes on: to the claimant that was there first.
    claimants = context.claimants_by_name[spec.name]
    first = min(claimants, key=lambda item: (item.owner.created or "~", item.owner.ref))
    return None if first is workload else _taken(spec, first.owner.ref.kind)


def _continues(workload: Workload, cronjob: Json, context: PlanContext) -> bool:
    """Whether an owner became a group of the same name, or a group that owner alone."""
    members = {owner.ref for owner in workload.objects}
    recorded_left = context.workload(owner_of(cronjob)[1]) is None
    return recorded_left and not members.isdisjoint(objects_of(cronjob))


def _taken(spec: BackupSpec, kind: str) -> Rejected:
    return Rejected(Reason.NAME_TAKEN, f"{spec.name} belongs to the {kind} of the same name")


def _abandoned(cronjob: Json, context: PlanContext) -> bool:
    """Whether its recorded owner, of this namespace, has been gone until its name may pass on."""
    status = absence.classify_unwanted(cronjob, context, existing_wanted=frozenset(), rejections={})
    if status.state is not State.GONE:
        return False
    return absence.is_deletion_due(
        absence.absence_of(cronjob, context), context.settings, context.view.now
    )
