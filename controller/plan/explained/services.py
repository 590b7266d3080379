"""Why a Service is connected to, or is not: the facts that the rules go by."""

from collections.abc import Iterator

from controller.model.objects import Json, labels_of, name_of
from controller.model.status import ReadFailure, Rejected
from controller.plan.context import PlanContext
from controller.plan.explained.decision import Decision, choice
from controller.workloads.annotations import SERVICE
from controller.workloads.backup_spec import host_of, search_of
from controller.workloads.request import Request
from controller.workloads.services.candidates import Candidates
from controller.workloads.services.facts import (
    is_external_name,
    is_headless,
    leads_to_unready,
    role_of_service,
    selector_of,
    serves,
)
from controller.workloads.services.roles import role_of
from controller.workloads.workload import Workload


def service_decisions(
    workload: Workload, request: Request, context: PlanContext
) -> Iterator[Decision]:
    """Explain every Service that could be meant, and those of others on the engine's port."""
    view, key = context.view_for(workload), workload.key
    host = host_of(workload, request, view)
    if request.host:
        refused = isinstance(host, Rejected)
        why = host.message if isinstance(host, Rejected) else "the annotation host names it"
        yield choice(key, f"host {request.host}", why, chosen=not refused)
        return
    if isinstance(host, Rejected):
        yield choice(key, "Service", host.message, chosen=False)
    if isinstance(view.services, ReadFailure) or context.watched is None:
        return
    chosen = "" if isinstance(host, Rejected) else host.partition(".")[0]
    if request.service:
        if chosen:
            why = f"the annotation {SERVICE.key} names it"
            yield choice(key, f"Service/{chosen}", why, chosen=True)
        return
    found = Candidates(
        services=view.services,
        pods=workload.pods,
        port=request.port,
        search=search_of(workload, request, view),
        pods_have_roles=any(role_of(labels_of(pod)) for pod in workload.pods),
    )
    for service in _worth_a_word(context, found):
        name = name_of(service)
        why = ", ".join(_facts(service, found))
        yield choice(key, f"Service/{name}", why, chosen=name == chosen)


def _worth_a_word(context: PlanContext, found: Candidates) -> list[Json]:
    assert context.watched is not None
    every = context.watched.services
    others = () if isinstance(every, ReadFailure) else every
    named = {name_of(item): item for item in others if serves(item, found.port)}
    named |= {name_of(item): item for item in found.services}
    return [named[name] for name in sorted(named)]


def _facts(service: Json, found: Candidates) -> Iterator[str]:
    """The facts about a Service, in the order in which the rules ask for them."""
    selector = selector_of(service).items()
    if role := role_of_service(service):
        yield f"is of the {role}"
    if selector:
        selected = sum(selector <= labels_of(pod).items() for pod in found.pods)
        yield f"selects {selected} of its {len(found.pods)} pods"
        if found.leads_to_replicas(service):
            yield "leads to replicas"
    elif is_external_name(service):
        yield "is an ExternalName, a host that somebody chose"
    else:
        yield "has no selector"
    yield f"{'serves' if found.serves(service) else 'does not serve'} port {found.port}"
    if selector and found.leads_elsewhere(service):
        yield "selects pods of others, too"
    if is_headless(service):
        yield "is headless"
    if leads_to_unready(service):
        yield "leads to pods that are not ready, too"
