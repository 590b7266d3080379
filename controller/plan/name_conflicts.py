"""Who may have the name of a CronJob: two installs, two kinds, one name (contract 9.1, 9.15)."""

from controller.manifests.ownership import is_ours, objects_of, owner_of
from controller.model import names
from controller.model.kinds import CRONJOB, SECRET
from controller.model.objects import Json, ObjectRef, annotations_of
from controller.model.status import Reason, Rejected, State
from controller.plan import absence
from controller.plan.context import PlanContext
from controller.workloads.backup_spec import BackupSpec
from controller.workloads.discovery import Workload


def check(workload: Workload, spec: BackupSpec, scope: PlanContext) -> Rejected | None:
    """Why a workload that could be backed up must not have its CronJob's name; None if it may."""
    inventory = scope.owned
    for kind, name, items in (
        (CRONJOB, spec.name, inventory.cronjobs),
        (SECRET, names.secret_name(spec.name), inventory.secrets),
    ):
        if failed := scope.view.control.unread.get(ObjectRef(kind=kind, name=name)):
            return Rejected(failed.reason, failed.message)
        if (item := items.get(name)) and not is_ours(item, scope.settings):
            return Rejected(Reason.NAME_TAKEN, f"the {kind} {name} is not ours{_instance(item)}")
    cronjob = inventory.cronjobs.get(spec.name)
    if cronjob:
        namespace, ref = owner_of(cronjob)
        recorded, kind = names.owner_key(namespace, ref.name), ref.kind
        # Both keys lead to this name: their hashes are the same.
        if ref.name and recorded != workload.key:
            return Rejected(Reason.NAME_TAKEN, f"the CronJob {spec.name} belongs to {recorded}")
        if kind == workload.owner.ref.kind or _continues(workload, cronjob, scope):
            return None
        if kind and not _abandoned(cronjob, scope):
            return _taken(spec, kind)
    # Nobody has it yet, or it passes on: of several, the owner that was there first.
    rivals = scope.claimants_by_name[spec.name]
    first = min(rivals, key=lambda item: (item.owner.created or "~", item.owner.ref))
    return None if first is workload else _taken(spec, first.owner.ref.kind)


def _continues(workload: Workload, cronjob: Json, scope: PlanContext) -> bool:
    """Whether an owner became a group of the same name, or a group that owner alone."""
    objects = {owner.ref for owner in workload.objects}
    left = scope.workload(owner_of(cronjob)[1]) is None
    return left and not objects.isdisjoint(objects_of(cronjob))


def _taken(spec: BackupSpec, kind: str) -> Rejected:
    return Rejected(Reason.NAME_TAKEN, f"{spec.name} belongs to the {kind} of the same name")


def _instance(item: Json) -> str:
    instance = annotations_of(item).get(names.INSTANCE)
    return f", its {names.INSTANCE} is {instance}" if instance else ""


def _abandoned(cronjob: Json, scope: PlanContext) -> bool:
    """Whether its recorded owner, of this namespace, has been gone until its name may pass on."""
    if absence.classify_unwanted(cronjob, scope, frozenset(), {}).state is not State.GONE:
        return False
    return absence.is_deletion_due(
        absence.absence_of(cronjob, scope), scope.settings, scope.view.now
    )
