"""Reads the file at a container's path from the Secret or ConfigMap mounted there (9.13)."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import Json, ObjectRef
from controller.model.status import Reason, RejectedError
from controller.workloads.credentials.secret_data import SecretDataByRef, content_of, text_of

# How a volume, or a source of a projected one, names its object.
_OBJECTS = (("secret", SECRET, "secretName"), ("configMap", CONFIG_MAP, "name"))
_PROJECTED = (("secret", SECRET, "name"), ("configMap", CONFIG_MAP, "name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that a volume may hold, which is a key of an object.

    With `listed` the volume names the key, so the key must exist unless it is `optional`.
    """

    ref: ObjectRef
    key: str
    optional: bool
    listed: bool


def files(pod: Json, container: Json, path: str) -> tuple[File, ...]:
    """The files that a path may lead to; the first one that exists counts.

    RejectedError where the path leads to something that cannot be read from outside the pod.
    """
    name, inner = _mounted(container, path)
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    volume: Json = next((item for item in volumes if item.get("name") == name), {})
    if projected := volume.get("projected"):
        # A later source writes over an earlier one.
        sources = tuple(reversed(projected.get("sources") or ()))
        if any(_items_have(source.get("downwardAPI"), inner) for source in sources):
            raise _unreadable(f"the volume {name!r} (downwardAPI)")
        return tuple(file for item in sources for file in _files(item, _PROJECTED, inner))
    if not any(kind in volume for kind, _, _ in _OBJECTS):
        kinds = ", ".join(sorted(volume.keys() - {"name"})) or "unknown"
        raise _unreadable(f"the volume {name!r} ({kinds})")
    return tuple(_files(volume, _OBJECTS, inner))


def text_of_files(found: tuple[File, ...], contents: SecretDataByRef) -> str:
    """The file's text without trailing line ends, which the images' shells drop, too.

    Empty where every object or key that could hold the file is optional and absent.
    """
    for file in found:
        content = content_of(file.ref, contents, optional=file.optional)
        if content and file.key in content.data:
            return text_of(file.ref, file.key, content).rstrip("\n")
        if content and file.listed and not file.optional:
            break
    needed = [f"{file.ref} has no key {file.key!r}" for file in found if not file.optional]
    if needed or not found:
        what = ", ".join(needed) or "no object is mounted there"
        raise RejectedError(Reason.CREDENTIAL_SOURCE_MISSING, what)
    return ""


def _mounted(container: Json, path: str) -> tuple[str, str]:
    """The name of the volume that a path lies in, and the path inside the volume."""
    wanted = posixpath.normpath(path)
    # normpath keeps two leading slashes, which mean one.
    wanted = "/" + wanted.lstrip("/") if wanted.startswith("/") else wanted
    best: Json | None = None
    longest = ""
    for mount in container.get("volumeMounts") or ():
        root = posixpath.normpath(str(mount.get("mountPath", "")))
        inside = wanted == root or wanted.startswith(root.rstrip("/") + "/")
        if inside and len(root) > len(longest):
            best, longest = mount, root
    if best is None:
        raise _unreadable("a path on which no volume is mounted")
    name = str(best.get("name", ""))
    if best.get("subPathExpr"):
        raise _unreadable(f"the volume {name!r} by a subPathExpr")
    inner = posixpath.join(str(best.get("subPath") or ""), wanted[len(longest) :].lstrip("/"))
    return name, posixpath.normpath(inner)


def _files(source: Json, kinds: tuple[tuple[str, str, str], ...], inner: str) -> Iterator[File]:
    for field, kind, name in kinds:
        if found := source.get(field):
            ref = ObjectRef(kind=kind, name=str(found.get(name, "")))
            optional = bool(found.get("optional"))
            items = found.get("items")
            if not items:
                yield File(ref=ref, key=inner, optional=optional, listed=False)
            for item in items or ():
                if _is_at(item, inner):
                    key = str(item.get("key", ""))
                    yield File(ref=ref, key=key, optional=optional, listed=True)


def _items_have(source: Mapping[str, Any] | None, inner: str) -> bool:
    return any(_is_at(item, inner) for item in (source or {}).get("items") or ())


def _is_at(item: Json, inner: str) -> bool:
    return posixpath.normpath(str(item.get("path", ""))) == inner


def _unreadable(what: str) -> RejectedError:
    return RejectedError(
        Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        f"it leads to {what}, which cannot be read from outside the pod",
    )
