"""A stream for engines whose streams have no replicas and nothing to learn from reading."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class SimpleStream:
    """A DumpStream that is read once, by `opener`, and whose metadata is known from the start."""

    name: str
    part: tuple[str, ...] = ()
    ending: str
    estimate: int
    concurrency_group: str = ""
    known_metadata: Mapping[str, Any] = field(default_factory=dict)
    opener: Callable[[Interrupt], AbstractContextManager[Reader]]

    def open(self, interrupt: Interrupt) -> AbstractContextManager[Reader]:
        """Read the object; errors of the opener and its reader pass through."""
        return self.opener(interrupt)

    def metadata(self) -> Mapping[str, Any]:
        """Return the known metadata."""
        return self.known_metadata

    def can_retry(self, _error: KsnapshotError) -> bool:
        """Return False: there is no other place to read the same rows from."""
        return False
