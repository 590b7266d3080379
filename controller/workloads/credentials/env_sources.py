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
