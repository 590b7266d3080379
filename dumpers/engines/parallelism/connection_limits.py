"""Whether a server has enough connections left for a dump by several streams; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from dumpers.runtime.errors import SourceFailedError, SourceRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many connections `whose` may have, how many are `used`, and what lets it have more.

    The one that asks is among those that are used.
    """

    whose: str
    most: int
    used: int
    cure: str


def check_limits(limits: Iterable[Limit], *, lanes: int, wanted: int) -> None:
    """Raise SourceFailedError where too few of the connections `wanted` are left for so many lanes.

    SourceRefusedError where there never are as many.
    """
    needed = f"parallelism {lanes} needs up to {wanted} connections at a time"
    for limit in limits:
        cure = f"{limit.cure}, or choose a lower parallelism"
        if wanted > limit.most:
            raise SourceRefusedError(f"{needed}, and the {limit.whose} has {limit.most}: {cure}")
        if wanted > (left := limit.most - limit.used + 1):
            raise SourceFailedError(
                f"{needed}, and of the {limit.whose}'s {limit.most} are {left} left: {cure}"
            )
