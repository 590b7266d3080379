"""Who may have the name of a CronJob: two installs, two kinds, one name (contract 9.1, 9.15)."""

from controller import lifecycle, names, specs
from controller.config import Settings
from controller.inventory import CRONJOB, SECRET, Inventory, is_ours, owner_of
from controller.reasons import Reason, Rejected, State
from controller.specs import BackupSpec
from controller.view import ClusterView, Json, ObjectRef, annotations_of
from controller.workloads import Workload, Workloads


def refusal(
    *,
    workload: Workload,
    spec: BackupSpec,
    found: Workloads,
    view: ClusterView,
    inventory: Inventory,
    settings: Settings,
) -> Rejected | None:
    """Why a workload that could be backed up must not have its CronJob's name; None if it may."""
    secret = names.secret_name(spec.name)
    for kind, name, items in (
        (CRONJOB, spec.name, inventory.cronjobs),
        (SECRET, secret, inventory.secrets),
    ):
        if failed := view.control.unread.get(ObjectRef(kind=kind, name=name)):
            return Rejected(failed.reason, failed.message)
        if (item := items.get(name)) and not is_ours(item, settings):
            return Rejected(Reason.NAME_TAKEN, f"the {kind} {name} is not ours{_instance(item)}")
    cronjob = inventory.cronjobs.get(spec.name)
    if cronjob:
        namespace, ref = owner_of(cronjob)
        recorded, kind = names.owner_key(namespace, ref.name), ref.kind
        # Both keys lead to this name: their hashes are the same.
        if ref.name and recorded != workload.key:
            return Rejected(Reason.NAME_TAKEN, f"the CronJob {spec.name} belongs to {recorded}")
        if kind == workload.owner.ref.kind:
            return None
        if kind and not _abandoned(cronjob, found, view, settings):
            return _taken(spec, kind)
    # Nobody has it yet, or it passes on: of several, the owner that was there first.
    rivals = [item for item in found.items if specs.name_of(item) == spec.name]
    first = min(rivals, key=lambda item: (item.owner.created or "~", item.owner.ref))
    return None if first is workload else _taken(spec, first.owner.ref.kind)


def _taken(spec: BackupSpec, kind: str) -> Rejected:
    return Rejected(Reason.NAME_TAKEN, f"{spec.name} belongs to the {kind} of the same name")


def _instance(item: Json) -> str:
    instance = annotations_of(item).get(names.INSTANCE)
    return f", its {names.INSTANCE} is {instance}" if instance else ""


def _abandoned(cronjob: Json, found: Workloads, view: ClusterView, settings: Settings) -> bool:
    """Whether the recorded owner has been gone for so long that its name may pass on."""
    namespace, _ = owner_of(cronjob)
    verdict = lifecycle.judge(cronjob, view.namespaces.get(namespace), found, frozenset(), {})
    if verdict.state is not State.GONE:
        return False
    return lifecycle.due(lifecycle.streak(cronjob, view, settings), settings, view.now)
