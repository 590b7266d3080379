"""Why a pod is read from, or is not."""

from collections.abc import Collection, Iterator

from controller.model.names import owner_key
from controller.model.objects import Json, annotations_of, labels_of, name_of
from controller.plan.context import PlanContext
from controller.plan.explained.decision import Decision, choice
from controller.workloads.annotations import ENABLED, is_enabled
from controller.workloads.owner_groups import is_of_helper
from controller.workloads.owners import (
    OwnerWithPods,
    ksnapshot_annotations,
    owner_is_enabled,
    pods_by_owner,
)

_RUNNING = "Running"


def pod_decisions(context: PlanContext) -> Iterator[Decision]:
    """Explain every pod that says something of backups itself, or whose owner does.

    A pod without an owner is a workload itself, and rejected as such.
    """
    grouped = pods_by_owner(context.watched) if context.watched else None
    if grouped is None:
        return
    keys = {name_of(pod): item.key for item in context.found.items for pod in item.pods}
    for owner in grouped.owners.values():
        says = bool(owner.own_annotations) or (owner.item and owner_is_enabled(owner.item))
        for pod in owner.pods:
            if says or ksnapshot_annotations(pod):
                name = name_of(pod)
                key = keys.get(name, owner_key(context.namespace, owner.owner.ref.name))
                why = _why(owner, pod, keys)
                yield choice(key, f"Pod/{name}", why, chosen=name in keys)


def _why(owner: OwnerWithPods, pod: Json, chosen: Collection[str]) -> str:
    """Why a pod of an owner is one to read from, or is not."""
    own, values = owner.own_annotations, annotations_of(pod)
    if not is_enabled(values, own):
        said = values.get(ENABLED.name, own.get(ENABLED.name))
        return "nothing says enabled" if said is None else f"{ENABLED.key} is not exactly true"
    phase = (pod.get("status") or {}).get("phase")
    if phase != _RUNNING:
        return f"its phase is {phase}"
    if is_of_helper(own | ksnapshot_annotations(pod), labels_of(pod)):
        return "its labels say that an operator made it beside the database"
    if name_of(pod) not in chosen:
        return f"{owner.owner.ref} is not looked for by its pods: see its workload's decision"
    by = "it" if ENABLED.name in values else str(owner.owner.ref)
    return f"{by} says enabled, and it runs"
