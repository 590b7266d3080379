"""How far back the backups of a CronJob go, and how many there are, by few requests."""

import logging
from collections.abc import Callable, Collection
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass
from datetime import datetime

from dumpers.repository.catalogue import group_keys, read_entry
from dumpers.repository.keys import MANIFEST, STARTED, SWEEPING, last_proof
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.way_out import run_detached

_LOG = logging.getLogger(__name__)

# Bounds: how many keys of records, how many records of the oldest runs, how long in all.
_MAX_KEYS, _MAX_READ, _SECONDS = 10_000, 5, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """When the oldest backup that can be restored began, and how many backups there are."""

    oldest: datetime
    count: int


def read_extent(storage: RunStorage, prefix: str, *, now: Callable[[], datetime]) -> Extent | None:
    """Look at the records under a prefix, for some seconds at most; raises nothing.

    None where the keys may not list or read, where there are too many records, or where the store
    is slow: then nothing is known, and nobody waits for it.
    """
    task = run_detached(lambda: _read(storage, prefix, now))
    if not wait_futures([task], _SECONDS).done:
        _LOG.info("backups not counted: the store is slow")
        return None
    if (error := task.exception()) is not None:
        shown = str(error) if isinstance(error, KsnapshotError) else type(error).__name__
        _LOG.debug("backups not counted", extra=fields(why=shown))
        return None
    return task.result()


def _read(storage: RunStorage, prefix: str, now: Callable[[], datetime]) -> Extent | None:
    """The same in a thread of its own, each request made once."""
    bucket = storage.bucket
    keys = bucket.keys(prefix, since=prefix, limit=_MAX_KEYS + 1)
    if len(keys) > _MAX_KEYS:
        return None
    folders = group_keys(prefix, keys)
    moment = now()
    whole = [folder for folder in sorted(folders) if _may_be_restored(folders[folder], moment)]
    for number, folder in enumerate(whole[:_MAX_READ]):
        body = bucket.get(f"{prefix}{folder}/{MANIFEST}")
        entry = read_entry(prefix, folder, folders[folder], body, now=moment)
        if entry.is_restorable:
            return Extent(oldest=entry.started, count=len(whole) - number)
    return None


def _may_be_restored(names: Collection[str], now: datetime) -> bool:
    """Whether a run's records look like those of a backup; a tombstone is alone in the end."""
    proof = last_proof(names, now=now)
    is_damaged = proof is not None and not proof[1]
    return {STARTED, MANIFEST} <= set(names) and SWEEPING not in names and not is_damaged
