"""How large the parts of an upload are."""

import math

from dumpers.contract.names import MAX_PART_MIB, MIN_PART_MIB

MAX_PARTS = 10_000
_PART_SIZE_GOAL = 16 << 20
MEBIBYTE = 1 << 20
# Random bytes compress worst: as hex of pg_dump, gzipped, they have 1.09 times their size.
_WORST_RATIO = 1.25


def choose_part_size(estimate: int, uploads: int = 1) -> int:
    """Size in bytes of an upload's parts, equal for all of them as some stores demand.

    `estimate` is the expected number of bytes before compression, `uploads` how many are under way
    at a time, each with buffers of its own.
    """
    mebibytes = math.ceil(estimate * _WORST_RATIO / MAX_PARTS / MEBIBYTE)
    least = max(_PART_SIZE_GOAL // uploads, MIN_PART_MIB * MEBIBYTE)
    return min(max(mebibytes * MEBIBYTE, least), MAX_PART_MIB * MEBIBYTE)
