"""Several owners that are one database together → one workload."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from controller.model.kinds import OWNER_GROUP
from controller.model.objects import ObjectRef, name_of
from controller.model.owner import Owner
from controller.model.status import Reason, Rejected, RejectedError
from controller.workloads.annotations import GROUP, TYPE
from controller.workloads.request import Request
from controller.workloads.workload import IDLE, Candidate, GroupName, Workload
from dumpers.contract.engine_spec import GroupLabel
from dumpers.engines.registry import find as find_engine

_DELETED = (Reason.OWNER_NOT_FOUND,)
# So many of the members that disagree are named in the message.
_NAMED = 5


def group_name(values: Mapping[str, str], labels: Mapping[str, str]) -> GroupName | None:
    """The group that annotations, or else labels, name; None without one.

    A wrong annotation falls back to the label: `parse_request` rejects the owner for it.
    """
    try:
        if name := GROUP.value(values):
            return GroupName(name=name)
    except RejectedError:
        pass
    for label in _labels_of_type(values):
        if name := labels.get(label.key, ""):
            return GroupName(name=name, by_label=True, alone=label.alone)
    return None


def is_of_helper(values: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels say that an operator made a pod beside the database, such as a pooler.

    Some operators hand the annotations of the database to everything that they make for it.
    """
    return any(
        label.key in labels and not labels.items() >= dict(label.marks).items()
        for label in _labels_of_type(values)
    )


def form_groups(candidates: Iterable[Candidate]) -> Iterator[Workload]:
    """Make one workload of the owners of each group, and one of every other owner.

    Owners that an operator's label groups are one type's, and several, unless that label groups a
    single one, too. An operator of another engine may have given the same name to its own.
    """
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.group:
            by_name[candidate.group.name].append(candidate)
        else:
            yield candidate.workload
    for name, members in by_name.items():
        is_formed = len(members) > 1 and len({item.type for item in members}) == 1
        bound: list[Candidate] = []
        loose: list[Candidate] = []
        for item in members:
            is_bound = is_formed or (item.group and item.group.alone)
            (bound if is_bound else loose).append(item)
        if bound:
            yield group_workload(name, bound)
        yield from (replace(item.workload, group=name) for item in loose)


def as_group(workload: Workload) -> Workload:
    """The workload of a single owner as the group that it is the last member of."""
    owner = replace(
        workload.owner, ref=ObjectRef(kind=OWNER_GROUP, name=workload.group), uid="", makers=()
    )
    return replace(workload, owner=owner, members=(workload.owner,), group="")


def _labels_of_type(values: Mapping[str, str]) -> tuple[GroupLabel, ...]:
    engine = find_engine(TYPE.text(values))
    return engine.group_labels if engine else ()


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
