"""Keeps a fault of ours in one part of a pass from stopping the rest."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class FaultBoundary(Protocol):
    """Runs one part of a pass; returns None where a fault of ours made the part fail."""

    def __call__(self, what: str, part: Callable[[], T], /) -> T | None:
        """`what` is the namespace or workload that the part is about."""
