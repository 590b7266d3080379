"""Why the workloads of a namespace are read as they are: their pods, Services and logins."""

from collections.abc import Iterator

from controller.model.status import Rejected
from controller.plan.context import PlanContext
from controller.plan.explained.classes import class_decisions
from controller.plan.explained.decision import Decision, Verdict
from controller.plan.explained.logins import login_decisions
from controller.plan.explained.pods import pod_decisions
from controller.plan.explained.services import service_decisions
from controller.plan.explained.storages import storage_decisions


def choices(context: PlanContext) -> Iterator[Decision]:
    """Explain all choices for the workloads of one namespace, each as one decision."""
    yield from pod_decisions(context)
    yield from class_decisions(context)
    for workload in context.found.items:
        request = workload.request
        if isinstance(request, Rejected):
            yield Decision(
                workload=workload.key,
                about=str(workload.owner.ref),
                verdict=Verdict.REJECTED,
                why=f"{request.reason}: {request.message}",
            )
        elif context.watched is not None:
            yield from service_decisions(workload, request, context)
            yield from login_decisions(workload, request, context.watched.contents)
            yield from storage_decisions(workload, request, context.settings)
