"""Plans that need not be made again, as nothing that they follow from has changed."""

from dataclasses import dataclass, field

from controller.model import names
from controller.model.objects import uid_of
from controller.model.status import Failed, State
from controller.model.view import ClusterView
from controller.plan.changes import Plan
from controller.plan.owned import Inventory
from controller.workloads import backup_spec
from controller.workloads.discovery import Workloads

# Compared with that of the next pass. Most of it are the same objects, remembered, not equal ones.
Inputs = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """A plan without a step, and what it follows from."""

    inputs: Inputs = field(repr=False)
    plan: Plan

    @classmethod
    def of(cls, inputs: Inputs, plan: Plan) -> "Steady | None":
        """None where the plan is not one to be kept."""
        calm = all(not item.steps and item.verdict.state is State.WANTED for item in plan.items)
        return cls(inputs=inputs, plan=plan) if calm else None


def inputs(
    view: ClusterView, inventory: Inventory, namespace: str, found: Workloads
) -> Inputs | None:
    """All that the plan of a namespace follows from; None where more than this counts.

    That is so when something could not be read, or a CronJob is there that is not wanted: then
    pods, owners and time decide, too.
    """
    watched, jobs, pods = view.namespaces.get(namespace), inventory.jobs, inventory.pods
    if watched is None or inventory.failed or view.control.unread:
        return None
    if isinstance(jobs, Failed) or isinstance(pods, Failed):
        return None
    wanted = sorted(filter(None, map(backup_spec.name_of, found.items)))
    if not inventory.ours.get(namespace, {}).keys() <= set(wanted):
        return None
    cronjobs = [inventory.cronjobs.get(name) for name in wanted]
    ended = [jobs.get(uid_of(cronjob)) for cronjob in cronjobs if cronjob]
    secrets = [
        inventory.secrets.get(secret)
        for name in wanted
        for secret in (names.secret_name(name), name)
    ]
    said = [pods.get(uid_of(job)) for items in ended for job in items or ()]
    return (
        *(view.cluster, found, watched.services, watched.contents),
        # Of what a group was made of before.
        *(watched.absent, watched.unread),
        *(cronjobs, secrets, ended, said),
    )
