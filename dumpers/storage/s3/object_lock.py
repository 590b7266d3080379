"""The lock under which a run's dumps and manifests are written."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dumpers.contract.storages.object_lock import ObjectLock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Until when (UTC) the store keeps an object from being deleted; `mode` is S3's own word."""

    mode: str
    until: datetime


def lock_from(wanted: ObjectLock | None, started: datetime | None) -> Lock | None:
    """The lock of a run that began at `started` (UTC); None where no lock is wanted.

    So all objects of a run, whenever they are written, have the same end.
    """
    if wanted is None or started is None:
        return None
    until = started.replace(microsecond=0) + timedelta(days=wanted.days)
    return Lock(mode=wanted.mode, until=until)


def lock_options(lock: Lock | None) -> dict[str, Any]:
    """What a request asks for so that its object is locked."""
    if lock is None:
        return {}
    return {"ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": lock.until}
