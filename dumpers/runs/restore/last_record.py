"""Records at a restore's end, with keys that may be good for reading only."""

import logging

from dumpers.repository.record_json import Record, write_record
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

_LAST_SECONDS = 3.0


def record_at_end(storage: RunStorage, key: str, record: Record, *, unrecorded: str) -> bool:
    """Write a record on the way out; False where that fails, which is only a warning.

    Keys that may only read are enough for a restore. `unrecorded` is what the log says then.
    """
    body = write_record(record)
    try:
        storage.call_at_end(
            lambda: storage.bucket.put(key, body, only_new=False), last_seconds=_LAST_SECONDS
        )
    except (KsnapshotError, TimeoutError) as error:
        _LOG.warning(unrecorded, extra=fields(key=key, why=str(error) or "no answer"))
        return False
    return True
