"""Writes and reads the marks of ownership on generated objects: owner, members, install."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

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
from dumpers.engines.registry import find as find_engine

LABELS = {names.MANAGED_BY_LABEL: names.MANAGED_BY}
# The component of the CronJob that dumps and of the Secret with its login.
DUMP = "dump"
# The components of the CronJobs that read backups.
READERS = frozenset({names.VERIFY, names.DRILL})
_MEMBER = re.compile(r"(?P<kind>[\w.-]+)/(?P<name>\w[\w.-]*)=(?P<uid>[\w.-]*)", re.ASCII)


def owner_of(cronjob: Json) -> tuple[str, ObjectRef]:
    """Namespace and owner that a CronJob records; the kind is empty on CronJobs of 0.6.0.

    Both are empty where the CronJob's name does not follow from the recorded owner: then the
    CronJob is a copy, which belongs to whoever made it, or its annotation was edited.
    """
    annotations = annotations_of(cronjob)
    kind = annotations.get(names.OWNER_KIND, "")
    name, key = name_of(cronjob), annotations.get(names.OWNER, "")
    if names.type_in(name) in READERS and (dump := annotations.get(names.CRONJOB)):
        # It is named after the CronJob whose backups it reads.
        is_ours = name in names.reader_names(dump)
        return _recorded_owner(dump if is_ours else name, key, kind)
    return _recorded_owner(name, key, kind)


@lru_cache(maxsize=8192)
def _recorded_owner(cronjob: str, key: str, kind: str) -> tuple[str, ObjectRef]:
    if cronjob != names.cronjob_name(names.type_in(cronjob), key):
        return "", ObjectRef(kind="", name="")
    namespace, _, owner_name = key.partition("/")
    return namespace, ObjectRef(kind=kind, name=owner_name)


def objects_of(cronjob: Json) -> tuple[ObjectRef, ...]:
    """The objects that a CronJob records: its owner, or the members of an owner that is a group."""
    _, ref = owner_of(cronjob)
    return tuple(members_of(cronjob)) if ref.kind == OWNER_GROUP else (ref,)


def members_of(cronjob: Json) -> Mapping[ObjectRef, str]:
    """The recorded members of a group with their uids; empty where the annotation was edited."""
    found: dict[ObjectRef, str] = {}
    for entry in annotations_of(cronjob).get(names.MEMBERS, "").split():
        if not (parts := _MEMBER.fullmatch(entry)):
            return {}
        found[ObjectRef(kind=parts["kind"], name=parts["name"])] = parts["uid"]
    return found


# Stands for the uid of a Job that is yet to be made.
PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The restore Job that keeps a CronJob suspended; `suspended` is what it was before.

    `uid` is PENDING where the Job is yet to be made.
    """

    name: str
    uid: str
    suspended: bool


def holder_of(cronjob: Json) -> Holder | None:
    """The Job that holds a CronJob; None for one that is not held, or was marked by hand."""
    annotations = annotations_of(cronjob)
    name, _, uid = annotations.get(names.HELD_BY, "").partition("/")
    if not name or not uid:
        return None
    return Holder(name=name, uid=uid, suspended=annotations.get(names.HELD_SUSPEND) == "true")


def hold(holder: Holder) -> Json:
    """What is laid over a CronJob to hold it."""
    marks = {
        names.HELD_BY: f"{holder.name}/{holder.uid}",
        names.HELD_SUSPEND: "true" if holder.suspended else "false",
    }
    return {"metadata": {"annotations": marks}, "spec": {"suspend": True}}


def is_ours(item: Json, settings: Settings) -> bool:
    """Whether this install made an object, or 0.6.0 did, which recorded no install."""
    instance = annotations_of(item).get(names.INSTANCE)
    if instance is not None:
        return instance == settings.instance
    return labels_of(item).get(names.MANAGED_BY_LABEL) == names.MANAGED_BY


def instance_note(item: Json) -> str:
    """The words that name the install which made an object; empty where it records none."""
    instance = annotations_of(item).get(names.INSTANCE)
    return f", its {names.INSTANCE} is {instance}" if instance else ""


def members_text(owners: Iterable[Owner]) -> str:
    """Write a group's members as CronJobs record them; empty without any."""
    return " ".join(f"{owner.ref}={owner.uid}" for owner in owners)


def component_of(item: Json) -> str:
    """The component of a generated CronJob; DUMP for one without a mark.

    Dump CronJobs have an engine in their name, as 0.6.0 made them, and no mark. The label that
    marks other components is a common one, so on a dump CronJob it is its users'. Those that verify
    or drill have that word in their name.
    """
    word = names.type_in(name_of(item))
    if find_engine(word):
        return DUMP
    if word in READERS:
        # Whatever became of its label: it must never pass for one that dumps.
        return word
    return labels_of(item).get(names.COMPONENT_LABEL) or DUMP


def owner_reference(name: str, uid: str) -> Json:
    """The ownerReference that deletes an object with its CronJob; never blockOwnerDeletion."""
    return {"apiVersion": CRONJOB_API, "kind": CRONJOB, "name": name, "uid": uid}


def with_owner(body: Json, name: str, uid: str) -> Json:
    """The object with an ownerReference to the CronJob; `uid` is empty until that is created."""
    metadata = {**body["metadata"], "ownerReferences": [owner_reference(name, uid)]}
    return {**body, "metadata": metadata}
