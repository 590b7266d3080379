"""A container's variables as the kubelet makes them (contract sections 5 and 9.13).

The rules are those of makeEnvironmentVariables in Kubernetes' pkg/kubelet/kubelet_pods.go and of
its third_party/forked/golang/expansion.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from controller.model.objects import Json, ObjectRef, annotations_of, labels_of, metadata
from controller.model.status import Reason, Rejected, RejectedError
from controller.workloads.credentials.env_sources import (
    Source,
    key_reference,
    may_be_skipped,
    sources,
)
from controller.workloads.credentials.secret_data import (
    SecretDataByRef,
    checked,
    content_of,
    text_of,
)

# A variable's text, or why it cannot be known; the reason counts only if the variable is needed.
Value = str | Rejected

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
# Variables that enableServiceLinks adds; only the pod knows which Services existed at its start.
_SERVICE_LINK = re.compile(
    r"[A-Z0-9_]+_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
_ALWAYS_LINKED = "KUBERNETES_"
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
# Linux starts no program with a longer variable (MAX_ARG_STRLEN).
_LONGEST = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needed:
    """Places of the `env` entries that some variables depend on, and names `envFrom` may give."""

    entries: frozenset[int]
    names: frozenset[str]


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replace `$(NAME)` where `lookup` knows the name, and `$$` by `$`.

    ValueError where the text becomes longer than a variable can be.
    """
    if "$" not in text:
        return text
    size = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal size
        name = match[1]
        found = "$" if name is None else lookup(name)
        replaced = match[0] if found is None else found
        size += len(replaced)
        if size > _LONGEST:
            raise ValueError("longer than a variable can be")
        return replaced

    head, tail = _closed(text)
    return _REFERENCE.sub(replace, head) + tail.replace("$$", "$")


def references(container: Json, names: AbstractSet[str]) -> Iterator[tuple[ObjectRef, str]]:
    """The objects, each with one key, that have to be read to know these variables."""
    entries = tuple(container.get("env") or ())
    needed = _needed(entries, names)
    for source in sources(container):
        for name in needed.names:
            if name.startswith(source.prefix):
                yield source.ref, name.removeprefix(source.prefix)
    for place in needed.entries:
        if origin := key_reference(entries[place]):
            yield origin.ref, origin.key


def variables(
    pod: Json, container: Json, names: AbstractSet[str], contents: SecretDataByRef
) -> Mapping[str, Value]:
    """These variables as the container gets them; those that it does not get are left out."""
    entries = tuple(container.get("env") or ())
    needed = _needed(entries, names)
    given = dict(_from_sources(container, needed.names, contents))
    links = (pod.get("spec") or {}).get("enableServiceLinks") is not False

    def lookup(name: str) -> str | None:
        found = given.get(name)
        if isinstance(found, Rejected):
            raise RejectedError(found.reason, found.message)
        linked = links or name.startswith(_ALWAYS_LINKED)
        if found is None and linked and _SERVICE_LINK.fullmatch(name):
            raise _unsupported(name, "the Services that were there when the pod started")
        return found

    # In order, as an entry sees the entries before it. No recursion: a chain of references may
    # be longer than the stack.
    for place in sorted(needed.entries):
        entry = entries[place]
        name = str(entry.get("name", ""))
        found: Value | None
        try:
            found = _entry(entry, pod, contents, lookup)
        except RejectedError as error:
            found = error.rejected
        if found is not None:
            given[name] = found
    return {name: found for name, found in given.items() if name in names}


def _closed(text: str) -> tuple[str, str]:
    """Split a text behind its last `)`: in the first part every reference is closed."""
    head, closer, tail = text.rpartition(")")
    return head + closer, tail


def _needed(entries: tuple[Json, ...], names: AbstractSet[str]) -> _Needed:
    places: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(str(entry.get("name", "")), []).append(place)
    found: set[int] = set()
    from_sources = set(names - places.keys())
    todo = [(name, len(entries)) for name in places.keys() & names]
    while todo:
        name, before = todo.pop()
        own = places.get(name, [])
        for place in reversed(own[: bisect_left(own, before)]):
            if place in found:
                break
            found.add(place)
            entry = entries[place]
            text = str(entry.get("value") or "")
            if "$" in text:
                seen = set(_REFERENCE.findall(_closed(text)[0]))
                todo += [(other, place) for other in seen if other]
            # Where an optional reference leads nowhere, the value from before stays.
            if not may_be_skipped(entry):
                break
        else:
            from_sources.add(name)
    return _Needed(entries=frozenset(found), names=frozenset(from_sources))


def _from_sources(
    container: Json, names: AbstractSet[str], contents: SecretDataByRef
) -> Iterator[tuple[str, Value]]:
    """The variables that `envFrom` sets; the last source with a name wins, no other is read."""
    found_sources = tuple(sources(container))
    for name in names if found_sources else ():
        for source in reversed(found_sources):
            if name.startswith(source.prefix):
                key = name.removeprefix(source.prefix)
                found: Value | None
                try:
                    found = _pick(source, key, contents)
                except RejectedError as error:
                    found = error.rejected
                if found is not None:
                    yield name, found
                    break


def _pick(source: Source, key: str, contents: SecretDataByRef) -> str | None:
    content = content_of(source.ref, contents, optional=source.optional)
    return text_of(source.ref, key, content) if content and key in content.data else None


def _entry(
    entry: Json, pod: Json, contents: SecretDataByRef, lookup: Callable[[str], str | None]
) -> str | None:
    """The value of an `env` entry; None where an optional reference leads nowhere.

    The kubelet then skips the entry, which leaves the value from `envFrom`. 0.6.0 treated the
    variable as unset, but the database was created with the kubelet's value.
    """
    name = str(entry.get("name", ""))
    if value := str(entry.get("value") or ""):
        try:
            return checked(expand(value, lookup), name)
        except ValueError as error:
            raise RejectedError(
                Reason.CREDENTIAL_SOURCE_UNSUPPORTED, f"{name} is {error}"
            ) from None
    origin = entry.get("valueFrom")
    if not origin:
        # Acts as unset, and hides the value from envFrom.
        return ""
    if found := key_reference(entry):
        content = content_of(found.ref, contents, optional=found.optional)
        if content and found.key in content.data:
            return text_of(found.ref, found.key, content)
        if found.optional:
            return None
        raise RejectedError(
            Reason.CREDENTIAL_SOURCE_MISSING, f"{found.ref} has no key {found.key!r}"
        )
    path = str((origin.get("fieldRef") or {}).get("fieldPath", ""))
    text = _field(pod, path)
    if text is None:
        raise _unsupported(name, path or ", ".join(sorted(origin)))
    return text


def _field(pod: Json, path: str) -> str | None:
    """A field of the pod that does not change while it runs, or None."""
    if keyed := _KEYED.fullmatch(path):
        values = labels_of(pod) if keyed[1] == "labels" else annotations_of(pod)
        return values.get(keyed[2], "")
    if path in {"metadata.name", "metadata.namespace", "metadata.uid"}:
        return str(metadata(pod).get(path.removeprefix("metadata."), ""))
    if path in {"spec.nodeName", "spec.serviceAccountName"}:
        return str((pod.get("spec") or {}).get(path.removeprefix("spec."), ""))
    return None


def _unsupported(name: str, origin: str) -> RejectedError:
    return RejectedError(
        Reason.CREDENTIAL_SOURCE_UNSUPPORTED,
        f"{name} comes from {origin}, which cannot be read from outside the pod",
    )
