"""Compares two commands by pairs of runs in turns, so that the machine's speed cancels out."""

import os
import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.processes import Run


def spread(ours: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """How many times the others' cost ours is, pair by pair in order, as a report shows it.

    Costs are not distinguishable where 1 lies between the lowest and the highest ratio.
    """
    ratios = [a / b for a, b in zip(ours, others, strict=True)]
    low, high = min(ratios), max(ratios)
    return {
        "median": round(statistics.median(ratios), 3),
        "lowest": round(low, 3),
        "highest": round(high, 3),
        "pairs": len(ratios),
        "distinguishable": not low <= 1 <= high,
    }


def wall(ours: Sequence[Run], others: Sequence[Run]) -> dict[str, Any]:
    """How many times the others' time ours took."""
    return spread([one.wall for one in ours], [one.wall for one in others])


def costs(ours: Sequence[Run], others: Sequence[Run]) -> dict[str, Any]:
    """How many times the others' CPU time, time and peak of memory ours took."""
    return {
        "cpu": spread([one.cpu for one in ours], [one.cpu for one in others]),
        "wall": wall(ours, others),
        "peak": spread([one.peak for one in ours], [one.peak for one in others]),
    }


def load() -> dict[str, float]:
    """The machine's load average, of 1 and 5 minutes: with other work beside, distrust a run."""
    one, five, _ = os.getloadavg()
    return {"1 min": round(one, 2), "5 min": round(five, 2)}
