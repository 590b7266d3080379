"""Compares two commands by pairs of runs in turns, so that the machine's speed cancels out."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.processes import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The ratios of all pairs of one comparison."""

    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """The ratio that half of the pairs stay below."""
        return statistics.median(self.ratios)

    def document(self) -> dict[str, Any]:
        """What a report shows; equal costs inside the spread are not distinguishable."""
        low, high = min(self.ratios), max(self.ratios)
        return {
            "median": round(self.median, 3),
            "lowest": round(low, 3),
            "highest": round(high, 3),
            "pairs": len(self.ratios),
            "distinguishable": not low <= 1 <= high,
        }


def spread(ours: Sequence[float], others: Sequence[float]) -> Spread:
    """How many times the others' cost ours is, pair by pair, in order."""
    return Spread(ratios=tuple(a / b for a, b in zip(ours, others, strict=True)))


def wall(ours: Sequence[Run], others: Sequence[Run]) -> dict[str, Any]:
    """How many times the others' time ours took."""
    return spread([one.wall for one in ours], [one.wall for one in others]).document()


def costs(ours: Sequence[Run], others: Sequence[Run]) -> dict[str, Any]:
    """How many times the others' CPU time, time and peak of memory ours took."""
    return {
        "cpu": spread([one.cpu for one in ours], [one.cpu for one in others]).document(),
        "wall": wall(ours, others),
        "peak": spread([one.peak for one in ours], [one.peak for one in others]).document(),
    }


def load() -> dict[str, float]:
    """The machine's load average, of 1 and 5 minutes: with other work beside, distrust a run."""
    one, five, _ = os.getloadavg()
    return {"1 min": round(one, 2), "5 min": round(five, 2)}
