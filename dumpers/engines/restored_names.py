"""The names that a restore gives: to what it loads beside, and to what it keeps."""

import hashlib
import time
from collections.abc import Callable

from dumpers.runtime.errors import TargetRefusedError

_REPLACED = "_replaced_"
_DIGITS = 8


def beside_name(name: str, suffix: str, *, limit: int, size: Callable[[str], int] = len) -> str:
    """The name with the suffix, cut to the limit of a server.

    A cut name holds a hash of the whole one, so that two names never become one. `size` measures
    a name as the server does. Raises TargetRefusedError where the suffix leaves no room.
    """
    if size(name + suffix) <= limit:
        return name + suffix
    mark = f"_{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}{suffix}"
    room = limit - size(mark)
    if room < 1:
        raise TargetRefusedError(
            f"the suffix {suffix!r} is too long: a name may have {limit} in all, choose a short one"
        )
    beginning = name
    while size(beginning) > room:
        beginning = beginning[:-1]
    return beginning + mark


def kept_name(
    name: str, *, limit: int, size: Callable[[str], int] = len, now: float | None = None
) -> str:
    """The name under which what a restore replaces is kept; it holds the time in UTC."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    return beside_name(name, f"{_REPLACED}{stamp}", limit=limit, size=size)
