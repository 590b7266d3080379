"""Which backups have become suspiciously small, by the sizes of those before them.

A database that was emptied, a selection that fits less, a login that sees less: all of them leave
good backups. One counts as shrunk if it is smaller than half the median of the seven newest before
it that are not shrunk themselves, so that a workload stays shrunk until somebody says that the new
size is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median

_WINDOW = 7
_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The size of one backup in bytes; 0 where nobody knows it.

    `source` is what left the dump tool, `stored` what lies in the store. `is_accepted` is true
    where somebody found the size right, `is_shrunk` where the backup was found shrunk before, which
    what is left of the backups before it may not show any more.
    """

    source: int
    stored: int
    is_accepted: bool = False
    is_shrunk: bool = False


def find_shrunk(sizes: Sequence[Size], *, enough: int) -> tuple[bool, ...]:
    """Say of each backup, newest first, whether it is shrunk.

    Of fewer than `enough` others nobody knows what is usual.
    """
    usual: list[Size] = []
    found: list[bool] = []
    for size in reversed(sizes):
        if size.is_accepted:
            # It stands for what is usual from then on, whatever it would have been called.
            usual = list(repeat(size, enough))
            found.append(False)
            continue
        is_shrunk = size.is_shrunk or _is_small(size, usual[-_WINDOW:], enough)
        if not is_shrunk:
            usual.append(size)
        found.append(is_shrunk)
    return tuple(reversed(found))


def _is_small(size: Size, usual: Sequence[Size], enough: int) -> bool:
    """Whether a backup is small among others, by what left the database where that is known."""
    if size.source:
        known = [other.source for other in usual if other.source]
        if len(known) >= enough:
            return size.source < _SHARE * median(known)
    known = [other.stored for other in usual if other.stored]
    return len(known) >= enough and 0 < size.stored < _SHARE * median(known)
