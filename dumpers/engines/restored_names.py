"""The names that a restore gives: to what it loads, to what it loads beside, to what it keeps."""

import hashlib
import re
import time
from collections.abc import Callable, Collection, Mapping

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import TargetRefusedError

_REPLACED = "_replaced_"
_DIGITS = 8
_KEPT = re.compile(rf"{_REPLACED}\d{{14}}\Z")


def live_names(
    found: Collection[str],
    request: RestoreRequest,
    database: str,
    *,
    limit: int,
    size: Callable[[str], int] = len,
) -> dict[str, str]:
    """What each chosen database is called in the end, by its name in the backup, in order.

    A backup of one database goes into the target's own, `database`, if it has any, one of several
    each into its own name, unless the request has others; `found` are those of the backup.
    TargetRefusedError where a choice fits none of them.
    """
    if not found:
        raise TargetRefusedError("the backup holds no database")
    names: Mapping[str, str] = request.names or {}
    if unknown := sorted({*request.databases, *names} - set(found)):
        raise TargetRefusedError(
            f"the backup holds no database {unknown[0]!r}, it has {abbreviate(sorted(found))}"
        )
    chosen = dict.fromkeys(request.databases or found)
    if request.tables and len(chosen) > 1:
        raise TargetRefusedError(
            f"tables are chosen of one database, the backup has {abbreviate(sorted(found))}: "
            "choose one of them"
        )

    def live(name: str) -> str:
        own = database if database and len(found) == 1 else name
        if request.mode is not RestoreMode.BESIDE:
            return own
        return beside_name(own, request.suffix, limit=limit, size=size)

    return {name: names.get(name) or live(name) for name in chosen}


def beside_name(name: str, suffix: str, *, limit: int, size: Callable[[str], int] = len) -> str:
    """The name with the suffix, cut to the limit of a server.

    A cut name holds a hash of the whole one, so that two names never become one. `size` measures
    a name as the server does. TargetRefusedError without a suffix, and where it leaves no room.
    """
    if not suffix:
        raise TargetRefusedError("without a suffix there is no name beside: give one")
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


def live_name(
    kept: str, present: Collection[str], *, limit: int, size: Callable[[str], int] = len
) -> str:
    """The name of which `kept` is the `kept_name`, one of those present; empty where none is."""
    ending = _KEPT.search(kept)
    if ending is None:
        return ""
    return next(
        (name for name in present if beside_name(name, ending[0], limit=limit, size=size) == kept),
        "",
    )
