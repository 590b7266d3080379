"""Listing a CronJob's runs from the newest back, in few requests: a store lists oldest first.

The time stands first in the name of a run's folder, so that a listing can begin at any time. Pure:
the caller lists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dumpers.repository.catalogue import group_keys
from dumpers.repository.keys import RunFolder, stamp

# Keys behind `since` in order, up to a store's page of them, and whether there are more.
ListPage = Callable[[str], tuple[Sequence[str], bool]]

_FIRST_WINDOW, _GROWTH = timedelta(days=1), 16
# Windows are not made narrower than this, nor is anything looked for in windows before ksnapshot.
_NARROWEST = timedelta(minutes=30)
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
# Behind all times and before all letters.
_END = "9999"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Names of records by their run's folder, the newest first.

    `next` is the folder before which there may be more; empty where there are none.
    """

    folders: dict[str, set[str]]
    next: str


def list_newest(
    list_page: ListPage, prefix: str, *, before: str, limit: int, now: datetime
) -> Found:
    """The newest `limit` runs whose folders sort before `before`; fewer only where there are none.

    `before` is the name of a folder, or a time as folders begin with; empty for all.
    """
    folders: dict[str, set[str]] = {}
    until, high = f"{prefix}{before or _END}", _moment(before) or now
    span, too_full = _FIRST_WINDOW, _NEVER
    is_whole = False
    while len(folders) < limit and not is_whole:
        low = max(high - span, too_full + (high - too_full) / 2)
        is_first = low <= _BEGINNING
        since = prefix if is_first else f"{prefix}{stamp(low)}"
        is_narrow = high - low <= _NARROWEST or high <= _BEGINNING
        keys = _list_window(list_page, since, until, through=is_narrow)
        if keys is None:
            too_full = max(low, _BEGINNING)
            continue
        folders |= group_keys(prefix, keys)
        until, high, is_whole = since, low, is_first
        if too_full == _NEVER:
            span *= _GROWTH
        elif high - too_full <= _NARROWEST:
            span, too_full = _FIRST_WINDOW, _NEVER
    newest = sorted(folders, reverse=True)
    kept = newest[:limit]
    is_all = is_whole and len(newest) <= limit
    return Found(folders={name: folders[name] for name in kept}, next="" if is_all else kept[-1])


def _list_window(list_page: ListPage, since: str, until: str, *, through: bool) -> list[str] | None:
    """The keys between `since` and `until`; None where they fill a page, unless `through`."""
    found: list[str] = []
    while True:
        keys, more = list_page(since)
        found += [key for key in keys if key < until]
        if not more or keys[-1] >= until:
            return found
        if not through:
            return None
        since = keys[-1]


def _moment(before: str) -> datetime | None:
    """The time at which a folder's name begins; None where it has none."""
    folder = RunFolder.parse(before) or RunFolder.parse(f"{before}-x")
    return folder.started if folder else None
