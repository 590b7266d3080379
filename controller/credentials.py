"""Credentials as the database's own container gets them (contract section 5).

Two steps, because reading lies between: which Secrets and ConfigMaps the container refers to,
then, with their content, what its variables hold.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.reasons import Failed, Reason, Rejected
from controller.view import Content, Json, ObjectRef, Objects
from dumpers.engines.facts import EngineFacts

SECRET = "Secret"  # noqa: S105  a kind
CONFIG_MAP = "ConfigMap"
# What the kubelet turns into something else in a value, never in what comes from a Secret.
_EXPANDED = re.compile(r"\$\$|\$\(")
# A variable's text, empty when it acts as unset.
_Value = Callable[[], str]

Contents = Mapping[ObjectRef, Content | Failed | None]


class _RejectedError(Exception):
    """Carries a rejection out of the resolving of one variable."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.rejected = Rejected(reason, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An object that a container refers to, and the keys of it that matter."""

    ref: ObjectRef
    keys: frozenset[str]


def container_of(pods: Objects, engine: EngineFacts) -> Json:
    """The container of the lowest-named pod that holds the engine's credentials.

    The only one with any of the engine's variables in `env`, or with any `envFrom`; else the
    first. Init containers do not count. `pods` are sorted and not empty.
    """
    containers: Objects = tuple((pods[0].get("spec") or {}).get("containers") or ({},))
    matching = [
        item
        for item in containers
        if item.get("envFrom")
        or any(entry.get("name") in engine.source_variables for entry in item.get("env") or ())
    ]
    return matching[0] if engine.source_variables and len(matching) == 1 else containers[0]


def references(container: Json, wanted: Collection[str]) -> tuple[Reference, ...]:
    """What has to be read to know the wanted variables of a container."""
    keys: dict[ObjectRef, set[str]] = {}
    for _, ref in _env_from(container):
        keys.setdefault(ref, set()).update(wanted)
    for entry in container.get("env") or ():
        for kind, source in _key_references(entry) if entry.get("name") in wanted else ():
            ref = ObjectRef(kind=kind, name=str(source.get("name", "")))
            keys.setdefault(ref, set()).add(str(source.get("key", "")))
    return tuple(Reference(ref=ref, keys=frozenset(found)) for ref, found in sorted(keys.items()))


def resolve(container: Json, engine: EngineFacts, contents: Contents) -> dict[str, str] | Rejected:
    """The job's credential variables that are set, required ones surely among them."""
    found: dict[str, str] = {}
    missing: list[str] = []
    try:
        values = _variables(container, engine.source_variables, contents)
        for item in engine.credentials:
            texts = (values[name]() for name in item.sources if name in values)
            value = next(filter(None, texts), None)
            if value is not None:
                found[item.variable] = value
            elif item.required:
                missing.append(" or ".join(item.sources))
    except _RejectedError as error:
        return error.rejected
    if missing:
        name = container.get("name", "")
        text = f"the container {name!r} does not set {', '.join(missing)}"
        return Rejected(Reason.CREDENTIALS_MISSING, text)
    return found


def _variables(container: Json, wanted: Collection[str], contents: Contents) -> dict[str, _Value]:
    """The variables that are set, to be decoded once it is known which of them are used."""
    values: dict[str, _Value] = {}
    for source, ref in _env_from(container):
        content = _content(ref, contents, optional=bool(source.get("optional")))
        for name in wanted if content else ():
            if content and name in content.data:
                values[name] = partial(_text, ref, name, content)
    for entry in container.get("env") or ():
        if entry.get("name") in wanted:
            # An empty value acts as unset, and hides what envFrom gave.
            values[entry["name"]] = _entry(entry, contents)
    return values


def _env_from(container: Json) -> Iterator[tuple[Json, ObjectRef]]:
    for entry in container.get("envFrom") or ():
        if entry.get("prefix"):
            continue
        for key, kind in (("secretRef", SECRET), ("configMapRef", CONFIG_MAP)):
            if source := entry.get(key):
                yield source, ObjectRef(kind=kind, name=str(source.get("name", "")))


def _key_references(entry: Json) -> Iterator[tuple[str, Mapping[str, Any]]]:
    source = entry.get("valueFrom") or {}
    for key, kind in (("secretKeyRef", SECRET), ("configMapKeyRef", CONFIG_MAP)):
        if found := source.get(key):
            yield kind, found


def _entry(entry: Json, contents: Contents) -> _Value:
    if not entry.get("valueFrom"):
        return partial(_literal, entry["name"], str(entry.get("value") or ""))
    for kind, source in _key_references(entry):
        ref = ObjectRef(kind=kind, name=str(source.get("name", "")))
        optional = bool(source.get("optional"))
        content = _content(ref, contents, optional=optional)
        key = str(source.get("key", ""))
        if content and key in content.data:
            return partial(_text, ref, key, content)
        if optional:
            return str
        raise _RejectedError(Reason.CREDENTIAL_SOURCE_MISSING, f"{ref} has no key {key!r}")
    kinds = ", ".join(sorted(entry["valueFrom"]))
    raise _RejectedError(
        Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        f"{entry['name']} comes from {kinds}, which cannot be read from outside the pod",
    )


def _content(ref: ObjectRef, contents: Contents, *, optional: bool) -> Content | None:
    found = contents.get(ref, Failed(Reason.UNAVAILABLE, f"{ref} was not read"))
    if isinstance(found, Failed):
        raise _RejectedError(found.reason, found.message)
    if found is None and not optional:
        raise _RejectedError(Reason.CREDENTIAL_SOURCE_MISSING, f"{ref} does not exist")
    return found


_DECODERS: Mapping[str, Callable[[str], str]] = {
    SECRET: lambda value: base64.b64decode(value, validate=True).decode(),
    CONFIG_MAP: str,
}


def _literal(name: str, text: str) -> str:
    if _EXPANDED.search(text):
        raise _RejectedError(
            Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
            f"{name} has $(…) or $$ in its value, which the container gets expanded: "
            "give the value itself, or take it from a Secret",
        )
    return text


def _text(ref: ObjectRef, key: str, content: Content) -> str:
    try:
        text = _DECODERS[ref.kind](content.data[key])
    except (UnicodeDecodeError, binascii.Error):
        text = "\0"
    if "\0" in text:
        # From None: the decoder's error holds the bytes that must not be told.
        raise _RejectedError(
            Reason.CREDENTIAL_NOT_TEXT, f"{key} of {ref} is not text, so no variable can hold it"
        ) from None
    return text
