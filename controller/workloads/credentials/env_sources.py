"""The objects that a container's variables come from, as `env` and `envFrom` refer to them."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import Json, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An `envFrom` object."""

    ref: ObjectRef
    prefix: str
    optional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReference:
    """The key of an object that an `env` entry's value comes from."""

    ref: ObjectRef
    key: str
    optional: bool


def sources(container: Json) -> Iterator[Source]:
    """Yield the container's `envFrom` objects in order."""
    for entry in container.get("envFrom") or ():
        for key, kind in (("secretRef", SECRET), ("configMapRef", CONFIG_MAP)):
            if source := entry.get(key):
                yield Source(
                    ref=ObjectRef(kind=kind, name=str(source.get("name", ""))),
                    prefix=str(entry.get("prefix") or ""),
                    optional=bool(source.get("optional")),
                )


def may_be_skipped(entry: Json) -> bool:
    """Whether the kubelet skips an `env` entry, as its optional reference may lead nowhere."""
    origin = entry.get("valueFrom")
    # Asked of every entry in every pass: mostly nothing of it is optional.
    if not origin or not any(source and source.get("optional") for source in origin.values()):
        return False
    found = key_reference(entry)
    return found is not None and found.optional


def key_reference(entry: Json) -> KeyReference | None:
    """The key that an `env` entry's value comes from; None where it comes from elsewhere."""
    if entry.get("value") or not (origin := entry.get("valueFrom")):
        return None
    for field, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if source := origin.get(field):
            return KeyReference(
                ref=ObjectRef(kind=kind, name=str(source.get("name", ""))),
                key=str(source.get("key", "")),
                optional=bool(source.get("optional")),
            )
    return None
