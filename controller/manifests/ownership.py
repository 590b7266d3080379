"""What a generated object records of its owner and its install: writer and reader."""

import re
from collections.abc import Iterable, Mapping

from controller.model import names
from controller.model.kinds import CRONJOB, CRONJOB_API, OWNER_GROUP
from controller.model.objects import (
    Json,
    ObjectRef,
    annotations_of,
    labels_of,
    name_of,
)
from controller.model.owner import Owner
from controller.settings.settings import Settings

LABELS = {names.MANAGED_BY_LABEL: names.MANAGED_BY}
# The component of the CronJob that dumps and of the Secret with its login.
DUMP = "dump"
_MEMBER = re.compile(r"(?P<kind>[\w.-]+)/(?P<name>\w[\w.-]*)=(?P<uid>[\w.-]*)", re.ASCII)


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


def members_text(owners: Iterable[Owner]) -> str:
    """A group's members as they are recorded; empty without any."""
    return " ".join(f"{owner.ref}={owner.uid}" for owner in owners)


def component_of(item: Json) -> str:
    """The component of a generated object; DUMP for what has no mark.

    Dump CronJobs and Secrets carry the managed-by label and no mark, as 0.6.0 made them. The
    label that marks other components is a common one, so on a dump's object it is its users'.
    """
    labels = labels_of(item)
    if labels.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY:
        return DUMP
    return labels.get(names.COMPONENT_LABEL) or DUMP


def owner_reference(name: str, uid: str) -> Json:
    """The reference by which a Secret goes when its CronJob goes; never blockOwnerDeletion."""
    return {"apiVersion": CRONJOB_API, "kind": CRONJOB, "name": name, "uid": uid}


def with_owner(body: Json, name: str, uid: str) -> Json:
    """The object with an ownerReference to the CronJob; `uid` is empty until that is created."""
    metadata = {**body["metadata"], "ownerReferences": [owner_reference(name, uid)]}
    return {**body, "metadata": metadata}
