"""Lays a desired object over the existing one: our fields are replaced, others stay (9.3).

DELETE in the desired object stands for a field that must be absent, and so does null, which the API
server drops, too. A result that equals the existing object needs no write, so API defaults and
foreign fields are never fought over.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from controller.model.objects import DELETE, ENTRY, Json

# Lists that are maps in truth, with the field that is the key of their entries.
_KEYED = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
# Fields that are ours as a whole: fields of others beside ours could weaken or break the object.
_WHOLE = frozenset(
    {
        "securityContext",
        "podFailurePolicy",
        "volumes",
        "data",
        "resources",
        "nodeSelector",
        "affinity",
        "dnsConfig",
    }
)
_QUANTITIES = frozenset({"limits", "requests", "sizeLimit"})
_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One differing field; None stands for absent."""

    path: str
    before: Any = field(repr=False)
    after: Any = field(repr=False)


def overlay(existing: Json | None, desired: Json) -> Json:
    """Return `existing` with the desired fields put in; neither argument is changed.

    The result shares parts with both, and is `existing` itself where nothing changes.
    """
    return _mapping(existing or {}, desired, ())


def field_changes(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Yield the differences of two objects, down to single fields; list entries go by name."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from field_changes(before.get(key), after.get(key), inner)
    elif isinstance(before, list) and isinstance(after, list) and before != after:
        left, right = _entries(before), _entries(after)
        if list(left) != list(right) and left.keys() == right.keys():
            yield FieldChange(path=f"{path}[order]", before=list(left), after=list(right))
        for key in [*left, *(key for key in right if key not in left)]:
            yield from field_changes(left.get(key), right.get(key), f"{path}[{key}]")
    elif before != after:
        yield FieldChange(path=path, before=before, after=after)


def same_quantity(left: Any, right: Any) -> bool:
    """Whether two Kubernetes quantities are equal, however written (`1` and `1000m`)."""
    try:
        return _quantity(str(left)) == _quantity(str(right))
    except (InvalidOperation, KeyError):
        return bool(left == right)


def _mapping(existing: Json, desired: Json, path: tuple[str, ...]) -> Json:
    """Lay one mapping over another; `existing` itself where nothing changes, which is the rule."""
    merged: dict[str, Any] | None = None if _WHOLE.isdisjoint(path) else {}
    for key, value in desired.items():
        before = existing.get(key)
        # So for most fields: comparing a whole subtree at once is far cheaper than walking it.
        if merged is None and before is not None and before == value:
            continue
        after = None
        if value is not None and value is not DELETE:
            after = _value(before, value, (*path, key))
        if merged is None and after is before and (after is not None or key not in existing):
            continue
        merged = dict(existing) if merged is None else merged
        if after is None:
            merged.pop(key, None)
        else:
            merged[key] = after
    if merged is None or merged == existing:
        return existing
    # Older API servers show what is absent as null, as the creationTimestamp of a template.
    is_same = None in existing.values() and merged == _without_null(existing)
    return existing if is_same else merged


def _without_null(existing: Json) -> Json:
    return {key: value for key, value in existing.items() if value is not None}


def _value(existing: Any, desired: Any, path: tuple[str, ...]) -> Any:
    """Lay one value over another; `existing` itself where they are equal."""
    key = path[-1]
    # JSON is made of plain dicts and lists; isinstance with Mapping costs more than all the rest.
    if isinstance(desired, dict):
        return _mapping(existing if isinstance(existing, dict) else {}, desired, path)
    if key in _KEYED and isinstance(desired, list):
        made: Any = _keyed(existing or [], desired, path)
    elif existing is not None and _is_quantity(path) and same_quantity(existing, desired):
        return existing
    else:
        made = desired
    return existing if made == existing else made


def _is_quantity(path: tuple[str, ...]) -> bool:
    return not _QUANTITIES.isdisjoint(path[-2:])


def _keyed(existing: Sequence[Json], desired: Sequence[Json], path: tuple[str, ...]) -> list[Any]:
    """Lay one list over another, entry by entry: ours are replaced, the others stay."""
    by = _KEYED[path[-1]]
    ours = {entry[by]: entry for entry in desired}
    merged = []
    for entry in existing:
        our_entry = ours.pop(entry.get(by), None)
        if our_entry is None:
            merged.append(entry)
        elif not _is_deleted(our_entry):
            merged.append(_mapping(entry, our_entry, path))
    added = (entry for entry in ours.values() if not _is_deleted(entry))
    return merged + [_mapping({}, entry, path) for entry in added]


def _is_deleted(entry: Json) -> bool:
    return entry.get(ENTRY) is DELETE


def _entries(entries: Sequence[Any]) -> dict[str, Any]:
    """The entries of a list by their names, or by position where there is no single one."""
    named: dict[str, Any] = {}
    for position, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        key = str(name) if name and str(name) not in named else str(position)
        named[key] = entry
    return named


def _quantity(text: str) -> Decimal:
    number = text.rstrip("numkMGTPEi")
    suffix = text[len(number) :]
    return Decimal(number) * _SUFFIXES[suffix]
