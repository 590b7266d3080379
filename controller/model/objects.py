"""Objects of the Kubernetes API as plain JSON: their types, references and metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final

# An object of the Kubernetes API as it is read: JSON case, nothing typed, never changed in place.
Json = Mapping[str, Any]
Objects = tuple[Json, ...]
_NOTHING: Json = MappingProxyType({})


class _Marker(Enum):
    DELETE = auto()


# In the body of a manifest: the value of a field that must be absent. DELETE_ENTRY, put into an
# entry of a list that is a map in truth, does the same to that entry.
DELETE: Final = _Marker.DELETE
ENTRY: Final = "$patch"
DELETE_ENTRY: Final = {ENTRY: DELETE}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """Kind and name of an object; a kind outside the core and apps groups is `Kind.group`.

    So a StatefulSet of another controller does not pass for one of Kubernetes.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def __hash__(self) -> int:
        """Hash by the name alone: references are keys of many lookups, and few share a name."""
        return hash(self.name)


def metadata(item: Json) -> Json:
    """The object's metadata, empty where there is none."""
    found: Json = item.get("metadata") or {}
    return found


# These are asked hundreds of times of each workload in each pass, so none calls another.
def name_of(item: Json) -> str:
    """The object's name."""
    return str((item.get("metadata") or _NOTHING).get("name", ""))


def uid_of(item: Json) -> str:
    """The object's uid."""
    return str((item.get("metadata") or _NOTHING).get("uid", ""))


def version_of(item: Json) -> str:
    """The object's resourceVersion."""
    return str((item.get("metadata") or _NOTHING).get("resourceVersion", ""))


def created_at(item: Json) -> str:
    """When the object was made, in RFC 3339; empty where it does not say."""
    return str((item.get("metadata") or _NOTHING).get("creationTimestamp") or "")


def annotations_of(item: Json) -> Mapping[str, str]:
    """The object's annotations, empty where there are none."""
    found: Mapping[str, str] = (item.get("metadata") or _NOTHING).get("annotations") or {}
    return found


def recorded(item: Json, key: str) -> Mapping[str, Any]:
    """The JSON object in an annotation; empty where there is none that can be read."""
    text = annotations_of(item).get(key)
    if not text:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def labels_of(item: Json) -> Mapping[str, str]:
    """The object's labels, empty where there are none."""
    found: Mapping[str, str] = (item.get("metadata") or _NOTHING).get("labels") or {}
    return found


def is_suspended(item: Json) -> bool:
    """Whether a CronJob or a Job is suspended."""
    return (item.get("spec") or _NOTHING).get("suspend") is True


def owner_references(item: Json) -> Objects:
    """The object's owners, in order."""
    return tuple((item.get("metadata") or _NOTHING).get("ownerReferences") or ())
