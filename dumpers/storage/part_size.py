"""How large the parts of an upload are, and how many of them are held in memory."""

import math

from dumpers.contract.names import MAX_PART_MIB, MIN_PART_MIB

MAX_PARTS = 10_000
MEBIBYTE = 1 << 20
_PART_SIZE_GOAL = 16 * MEBIBYTE
# Of all uploads together: with what the process takes besides, less than 150 MiB.
_HELD_GOAL = 80 * MEBIBYTE
# One is filled while the other is sent.
_LEAST_BUFFERS = 2
# Random bytes compress worst: as hex of pg_dump, gzipped, they have 1.09 times their size.
_WORST_RATIO = 1.25


def choose_part_size(estimate: int, uploads: int = 1, concurrency: int = _LEAST_BUFFERS) -> int:
    """Size in bytes of an upload's parts, equal for all of them as some stores demand.

    `estimate` is the expected number of bytes before compression, `uploads` how many are under way
    at a time, each with buffers of its own; `concurrency` is how many parts of one upload are to be
    under way at a time: where those are more than two, each is smaller, so that all of them take no
    more memory than two do.
    """
    mebibytes = math.ceil(estimate * _WORST_RATIO / MAX_PARTS / MEBIBYTE)
    goal = _PART_SIZE_GOAL * _LEAST_BUFFERS // max(concurrency, _LEAST_BUFFERS)
    least = max(goal // uploads, MIN_PART_MIB * MEBIBYTE)
    return min(max(mebibytes * MEBIBYTE, least), MAX_PART_MIB * MEBIBYTE)


def choose_buffers(part_size: int, uploads: int = 1, concurrency: int = _LEAST_BUFFERS) -> int:
    """How many parts of an upload are held in memory, and so may be under way, at a time.

    As many as are to be under way, as long as the memory of all uploads allows it; two at least.
    """
    affordable = _HELD_GOAL // (part_size * uploads)
    return max(_LEAST_BUFFERS, min(concurrency, affordable))
