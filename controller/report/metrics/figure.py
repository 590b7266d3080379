"""One figure of a workload: where there is none, there is no series."""

from collections.abc import Mapping
from typing import TypeAlias

from controller.report.metrics.family import Family

# The values of the labels beyond those of the workload, and the value.
Figure: TypeAlias = tuple[tuple[str, ...], float]
Figures: TypeAlias = Mapping[Family, Figure]


def plain(value: float | None) -> Figure | None:
    """A number without labels of its own; None for none."""
    return None if value is None else ((), float(value))


def number(value: object) -> Figure | None:
    """A number that a dumper measured, which is never nothing."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return None
    return (), float(value)
