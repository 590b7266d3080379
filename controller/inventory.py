"""The generated objects of a view, indexed, and which of them are this install's."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.model import names
from controller.model.kinds import OWNER_GROUP
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    owner_references,
)
from controller.model.owner import Owner
from controller.model.status import Failed
from controller.model.view import ClusterView
from controller.settings.settings import Settings

CRONJOB = "CronJob"
SECRET = "Secret"  # noqa: S105  a kind
_MEMBER = re.compile(r"(?P<kind>[\w.-]+)/(?P<name>\w[\w.-]*)=(?P<uid>[\w.-]*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Objects of the control namespace.

    `cronjobs` and `secrets` are by name and hold foreign ones too; `failed` says that they are
    not known. `ours` holds this install's CronJobs by the namespace of their workload. `jobs` go
    by CronJob uid, `pods` by Job uid.
    """

    cronjobs: Mapping[str, Json] = field(repr=False)
    secrets: Mapping[str, Json] = field(repr=False)
    failed: Failed | None
    ours: Mapping[str, Mapping[str, Json]] = field(repr=False)
    jobs: Mapping[str, Objects] | Failed = field(repr=False)
    pods: Mapping[str, Objects] | Failed = field(repr=False)


def take(view: ClusterView, settings: Settings) -> Inventory:
    """Index the control namespace of a view."""
    control = view.control
    by_namespace: dict[str, dict[str, Json]] = defaultdict(dict)
    for item in _known(control.cronjobs):
        namespace, ref = owner_of(item)
        recorded = names.INSTANCE in annotations_of(item)
        # What 0.6.0 made could be anybody's where this install does not watch.
        if ref.name and is_ours(item, settings) and (recorded or namespace in view.namespaces):
            by_namespace[namespace][name_of(item)] = item
    failures = (item for item in (control.cronjobs, control.secrets) if isinstance(item, Failed))
    return Inventory(
        cronjobs={name_of(item): item for item in _known(control.cronjobs)},
        secrets={name_of(item): item for item in _known(control.secrets)},
        failed=next(failures, None),
        ours=by_namespace,
        jobs=control.jobs if isinstance(control.jobs, Failed) else by_owner(control.jobs),
        pods=control.pods if isinstance(control.pods, Failed) else by_owner(control.pods),
    )


def owner_of(cronjob: Json) -> tuple[str, ObjectRef]:
    """Namespace and owner that a CronJob records; the kind is empty on those of 0.6.0.

    All is empty where the CronJob's own name does not follow from that owner: it is a copy under
    another name, which belongs to who made it, or the annotation was edited and tells nothing.
    """
    own, values = name_of(cronjob), annotations_of(cronjob)
    key = values.get(names.OWNER, "")
    if own != names.cronjob_name(names.type_in(own), key):
        return "", ObjectRef(kind="", name="")
    namespace, _, name = key.partition("/")
    return namespace, ObjectRef(kind=values.get(names.OWNER_KIND, ""), name=name)


def objects_of(cronjob: Json) -> tuple[ObjectRef, ...]:
    """The objects that a CronJob records: its owner, or the members where that is a group."""
    _, ref = owner_of(cronjob)
    return tuple(members_of(cronjob)) if ref.kind == OWNER_GROUP else (ref,)


def members_of(cronjob: Json) -> Mapping[ObjectRef, str]:
    """The uids of a group's members as a CronJob records them; nothing where that was edited."""
    found: dict[ObjectRef, str] = {}
    for entry in annotations_of(cronjob).get(names.MEMBERS, "").split():
        if not (parts := _MEMBER.fullmatch(entry)):
            return {}
        found[ObjectRef(kind=parts["kind"], name=parts["name"])] = parts["uid"]
    return found


def is_ours(item: Json, settings: Settings) -> bool:
    """Whether an object was made by this install, or by 0.6.0, which recorded no install."""
    instance = annotations_of(item).get(names.INSTANCE)
    if instance is not None:
        return instance == settings.instance
    return labels_of(item).get(names.MANAGED_BY_LABEL) == names.MANAGED_BY


def members_text(owners: Iterable[Owner]) -> str | None:
    """A group's members as they are recorded; None without any."""
    return " ".join(f"{owner.ref}={owner.uid}" for owner in owners) or None


def _known(listed: Objects | Failed) -> Objects:
    return () if isinstance(listed, Failed) else listed


def by_owner(listed: Objects) -> Mapping[str, Objects]:
    """Objects by the uid of each of their owners."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for item in listed:
        for uid in _owner_uids(item):
            grouped[uid].append(item)
    return {uid: tuple(items) for uid, items in grouped.items()}


def _owner_uids(item: Json) -> Iterable[str]:
    return {str(owner.get("uid", "")) for owner in owner_references(item)}
