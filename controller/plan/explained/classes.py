"""Why a workload has its class, and which of its values are the class's."""

from collections.abc import Iterator

from controller.model.objects import labels_of
from controller.model.status import Rejected, RejectedError
from controller.plan.context import PlanContext
from controller.plan.explained.decision import Decision, choice
from controller.settings.settings import Settings
from controller.workloads.classes.applying import own_values
from controller.workloads.classes.choice import Place, choose_class
from controller.workloads.owners import OwnerWithPods, ksnapshot_annotations, pods_by_owner


def class_decisions(context: PlanContext) -> Iterator[Decision]:
    """Explain the class of each workload that has one, by the first pod that is read."""
    classed = [
        item
        for item in context.found.items
        if not isinstance(item.request, Rejected) and item.request.backup_class
    ]
    grouped = pods_by_owner(context.watched) if classed and context.watched else None
    if grouped is None:
        return
    owners = {owner.owner.ref: owner for owner in grouped.owners.values()}
    for item in classed:
        for member in item.objects:
            decision = _decision(item.key, owners.get(member.ref), context.settings)
            if decision:
                yield decision
                # The other members of a group agree.
                break


def _decision(key: str, owner: OwnerWithPods | None, settings: Settings) -> Decision | None:
    """Explain the class of an owner by its first annotated pod; None where that shows none."""
    pod = next(iter(owner.enabled_pods()), None) if owner else None
    if owner is None or pod is None:
        return None
    values = owner.own_annotations | ksnapshot_annotations(pod)
    labels = {**owner.own_labels, **labels_of(pod)}
    try:
        found = choose_class(
            values, Place(namespace=owner.owner.namespace, labels=labels), settings
        )
    except RejectedError:
        return None
    if found is None:
        return None
    own = own_values(values)
    of_class = [name for name in found.backup_class.values if name not in own]
    why = f"{found.why}; of the class: {', '.join(of_class) or 'nothing'}"
    if own:
        why = f"{why}; of the workload's own: {', '.join(own)}"
    return choice(key, f"class {found.backup_class.name}", why, chosen=True)
