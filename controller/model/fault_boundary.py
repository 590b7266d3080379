"""How a part of a pass is kept from stopping the rest."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class FaultBoundary(Protocol):
    """Runs a part of the pass on its own: None where it failed for a fault of our own."""

    def __call__(self, what: str, part: Callable[[], T], /) -> T | None:
        """`what` is the namespace or workload that the part is about."""
