"""Removes the claims of runs that are gone; a run that is about, or may still begin, keeps its."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from dumpers.repository.catalogue import MARGIN
from dumpers.repository.record_json import read_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.sharing.shard_record import claim_key, claimed_run
from dumpers.storage.run_storage import RunStorage


def remove_old_claims(
    storage: RunStorage, prefix: str, runs: Collection[str], *, now: datetime
) -> None:
    """Delete the claims of runs that none of the ids `runs` has, and that have run out of time."""
    folder = claim_key(prefix, "").removesuffix(".json")
    keys, _ = storage.call(lambda: storage.bucket.page(folder, since=folder))
    for key in keys:
        run = claimed_run(prefix, key)
        if run and run not in runs and _is_over(storage, key, now):
            storage.call(partial(storage.bucket.delete, key))


def _is_over(storage: RunStorage, key: str, now: datetime) -> bool:
    stored = storage.call(partial(storage.bucket.get_version, key))
    begun = read_record(stored[0]) if stored else None
    ends = begun.ends if isinstance(begun, StartedRecord) else None
    return ends is not None and now > ends + MARGIN
