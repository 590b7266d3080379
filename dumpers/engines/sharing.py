"""What an engine says of its part of a run that several pods share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One shard of a dump that pods share.

    `stages` has a number for each stream: objects of a lower one, of whatever shard, load first.
    `holds` names the tables whose rows these streams are; `borrows` those that the shard has, too,
    and whose rows another shard's pod reads. `places` are the servers that this pod saw, each with
    the number of its shard.
    """

    stages: Sequence[int]
    holds: tuple[str, ...]
    borrows: tuple[str, ...]
    places: Mapping[str, int]


@runtime_checkable
class IdentifiedStream(Protocol):
    """A DumpStream whose object a later pod of the same run may take over."""

    def identity(self) -> str:
        """A digest of what is read and how: where it is the same, the object would do as well."""
        ...
