"""Reads classes from JSON, in the form of the chart's value `classes`; names every fault.

What the values of annotations may be is checked where the annotations are known.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from controller.settings import parsers
from controller.settings.classes.backup_class import BackupClass, ClassDefault
from dumpers.contract.recipients import PRIVATE_KEY, holds_private_key
from dumpers.runtime.errors import ConfigurationError

# The members of a class that are no annotations, and those of its defaultFor.
MEMBERS = NAMESPACES, ALLOW, DEFAULT_FOR = "namespaces", "allow", "defaultFor"
LABELS = "labels"
_OF_DEFAULT = frozenset({NAMESPACES, LABELS})
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?",
    re.ASCII,
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?", re.ASCII)
_SHOWN = 60

T = TypeVar("T")


def parse_classes(text: str) -> Mapping[str, BackupClass]:
    """Read the classes by name; ConfigurationError names each fault by its path."""
    reader = _Reader()
    entries = parsers.json_object(text)
    found = {name: reader.class_of(name, entry) for name, entry in entries.items()}
    if reader.faults:
        raise ConfigurationError(*reader.faults)
    return found


class _Reader:
    """Reads one part after the other, and notes what is wrong with each of them in `faults`."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def class_of(self, name: str, entry: Any) -> BackupClass:
        """Read one class; what is wrong is left out of it."""
        path = "classes" if holds_private_key(name) else f"classes.{name}"
        if holds_private_key(json.dumps({name: entry})):
            self.faults.append(f"{path}: {PRIVATE_KEY}")
            return BackupClass(name=name, values={})
        try:
            parsers.label(name)
        except ValueError as error:
            self.faults.append(f"classes: {_shown(name)} is the name of a class: it {error}")
            return BackupClass(name=name, values={})
        if not isinstance(entry, dict):
            self.faults.append(f"{path}: must be an object, such as {{schedule: '0 3 * * *'}}")
            entry = {}
        members = {key: value for key, value in entry.items() if value not in (None, "")}
        default = members.pop(DEFAULT_FOR, None)
        return BackupClass(
            name=name,
            namespaces=self._read(path, NAMESPACES, members, _patterns, ()),
            allow=self._read(path, ALLOW, members, _keys, frozenset()),
            default=None if default is None else self._default(f"{path}.{DEFAULT_FOR}", default),
            values={key: self._read(path, key, members, _text, "") for key in [*members]},
        )

    def _default(self, path: str, entry: Any) -> ClassDefault:
        known = f"{NAMESPACES} or {LABELS}, or both"
        if not isinstance(entry, dict) or not any(entry.values()) or {*entry} - _OF_DEFAULT:
            self.faults.append(f"{path}: must hold {known}, and nothing else")
            return ClassDefault()
        members = {key: value for key, value in entry.items() if value}
        return ClassDefault(
            namespaces=self._read(path, NAMESPACES, members, _patterns, ()),
            labels=self._read(path, LABELS, members, _labels, {}),
        )

    def _read(
        self, path: str, key: str, members: dict[str, Any], read: Callable[[Any], T], absent: T
    ) -> T:
        """Take one member out of `members` and read it."""
        if key not in members:
            return absent
        try:
            return read(members.pop(key))
        except ValueError as error:
            self.faults.append(f"{path}.{key}: {error}")
            return absent


def _shown(text: Any) -> str:
    return parsers.describe_value(str(text), longest=_SHOWN)


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of namespaces, such as ['shop-*']; leave it out for all")
    for item in value:
        if not isinstance(item, str) or not parsers.NAMESPACES.fullmatch(item):
            raise ValueError(f"{_shown(item)} must be a namespace, in which * may stand")
    return tuple(dict.fromkeys(value))


def _keys(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of annotations, such as ['schedule', 'timezone']")
    return frozenset(value)


def _labels(value: Any) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError("must be an object of labels, such as {tier: gold}")  # noqa: TRY004
    for key, text in value.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(f"{_shown(key)} must be the key of a label")
        if not isinstance(text, str) or not _LABEL_VALUE.fullmatch(text):
            raise ValueError(f"{key} must have the value of a label, as text in quotes")
    return value


def _text(value: Any) -> str:
    """The text that an annotation would have: YAML makes more of some than was written."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    raise ValueError("must be a text, as the annotation has it")
