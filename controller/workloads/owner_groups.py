"""Several owners that are one database together → one workload."""

from collections.abc import Mapping

from controller.model.kinds import OWNER_GROUP
from controller.model.objects import ObjectRef, name_of
from controller.model.owner import Owner
from controller.model.status import Reason, Rejected
from controller.workloads.request import Request
from controller.workloads.workload import IDLE, Candidate, Workload

_DELETED = (Reason.OWNER_NOT_FOUND,)
# So many of the members that disagree are named in the message.
_NAMED = 5


def group_workload(name: str, candidates: list[Candidate]) -> Workload:
    """Make one workload of a group's owners, which have to agree on what they ask for."""
    candidates.sort(key=lambda candidate: candidate.workload.owner.ref)
    # An owner that was deleted has no say while its pods end.
    left = [item for item in candidates if not item.workload.is_rejected_for(_DELETED)]
    left = left or candidates
    members = tuple(item.workload.owner for item in candidates)
    pods = tuple(sorted((pod for item in left for pod in item.workload.pods), key=name_of))
    request = _agreed(
        {item.workload.owner.ref: item.asked for item in left if item.asked is not None}
    )
    if request is None or not (pods or isinstance(request, Rejected)):
        request = IDLE
    owner = Owner(
        namespace=members[0].namespace,
        ref=ObjectRef(kind=OWNER_GROUP, name=name),
        created=min((member.created for member in members if member.created), default=""),
    )
    return Workload(
        owner=owner,
        members=members,
        pods=pods,
        request=request,
        type_by_template=all(item.workload.type_by_template for item in left if item.workload.pods),
    )


def _agreed(asked: Mapping[ObjectRef, Request | Rejected]) -> Request | Rejected | None:
    """What all members of a group ask for; None without any, a rejection where one is rejected."""
    distinct = set(asked.values())
    if len(distinct) <= 1:
        return next(iter(distinct), None)
    for ref, request in asked.items():
        if isinstance(request, Rejected):
            return Rejected(request.reason, f"{ref}: {request.message}")
    first, *others = asked
    differing = [str(ref) for ref in others if asked[ref] != asked[first]]
    more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
    return Rejected(
        Reason.CONFLICTING_ANNOTATIONS,
        "its members disagree about their annotations: "
        f"{', '.join(differing[:_NAMED])}{more} against {first}",
    )
