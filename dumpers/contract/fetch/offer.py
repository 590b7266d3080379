"""What a job tells the one person who fetches a backup: where its objects are, and their proofs.

It holds secrets, so it travels encrypted only. Without any package but Python's own: the user's
command reads it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

_VERSION = 1
# Said to a job that sends the bytes itself, it ends the job.
DONE = "/done"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedObject:
    """One object of a backup, as its ObjectRecord has it.

    `place` is a URL, or a path at the job that sends it. Of a dump of ksnapshot 0.6.0 there are no
    digests, and `source_size` is 0.
    """

    key: str
    name: str
    part: tuple[str, ...]
    ending: str
    size: int
    sha256: str
    source_size: int
    source_sha256: str
    place: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A backup as it is offered.

    `recipients` are those it is encrypted for, None for a backup in the clear. `seconds` is how
    long its URLs hold. `ca` is PEM text with the certificates that the store's may be of, empty for
    the usual ones. Where the job sends the bytes itself, it listens on `port` of its pod's loopback
    for requests with the `token`. `notes` are the codes of those that nobody accepted.
    """

    backup: str
    began: str
    engine: str
    workload: str
    compression: str
    recipients: tuple[str, ...] | None
    is_legacy: bool
    notes: tuple[str, ...]
    objects: tuple[OfferedObject, ...]
    seconds: int = 0
    ca: str = field(default="", repr=False)
    port: int = 0
    token: str = field(default="", repr=False)

    def to_json(self) -> str:
        """The offer as compact JSON."""
        members = {item.name: getattr(self, item.name) for item in fields(self)}
        objects = [
            {item.name: getattr(each, item.name) for item in fields(each)} for each in self.objects
        ]
        return json.dumps(
            {"version": _VERSION, **members, "objects": objects},
            ensure_ascii=True,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> "Offer":
        """Read an offer; ValueError where it is none, or of another version."""
        try:
            document = json.loads(text)
            if document["version"] != _VERSION:
                raise ValueError("it is of another version: the images and this command differ")
            objects = tuple(_read(OfferedObject, item) for item in document["objects"])
            offer: Offer = _read(cls, {**document, "objects": objects})
        except (TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"it is no offer of a backup: {type(error).__name__}") from error
        return offer


_LISTS = {"part", "recipients", "notes"}
_NUMBERS = {"size", "source_size", "seconds", "port"}


def _read(kind: Any, document: Mapping[str, Any]) -> Any:
    known = {item.name: document[item.name] for item in fields(kind) if item.name in document}
    return kind(**{name: _member(name, value) for name, value in known.items()})


def _member(name: str, value: Any) -> Any:
    """A member in its own type; TypeError where it has another."""
    if name in _LISTS:
        if value is None and name == "recipients":
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif name in _NUMBERS:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    elif name == "is_legacy":
        if isinstance(value, bool):
            return value
    elif name == "objects" or isinstance(value, str):
        return value
    raise TypeError(name)
