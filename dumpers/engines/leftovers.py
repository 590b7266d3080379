"""What restores have left in a target, where an engine can tell by marks of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dumpers.contract.connection import Connection
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What one restore has left: `kept` as in protocol.Restored, `beside` are names of copies."""

    kept: tuple[tuple[str, str], ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be dropped without touching what is live."""
        return (*(name for _, name in self.kept), *self.beside)


@runtime_checkable
class MarkingEngine(Protocol):
    """An Engine that marks what a restore makes with RestoreRequest.by, and knows it again.

    So a restore that was killed before it could say a word can be cleared away, or taken back.
    """

    def find_left(self, target: Connection, interrupt: Interrupt) -> Mapping[str, Left]:
        """Return what restores have left, by the RestoreRequest.by of each.

        Raises TargetRefusedError and TargetFailedError.
        """
        ...
