"""What is done about a backup that could not be read to its end."""

import logging
from collections.abc import Callable
from datetime import datetime

from dumpers.repository.added_records import UnreadRecord
from dumpers.repository.catalogue import Entry
from dumpers.repository.keys import MANIFEST, unread_name
from dumpers.repository.record_json import write_record
from dumpers.runtime.errors import Failure, InterruptedRunError, KsnapshotError
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# A run at its deadline has no more.
_LAST_SECONDS = 3.0


def still_answers(storage: RunStorage, entry: Entry) -> bool:
    """Whether the store, which failed to give an object, gives a backup's manifest."""
    key = f"{entry.record}{MANIFEST}"
    try:
        storage.attempt(lambda: storage.bucket.get_version(key))
    except InterruptedRunError:
        raise
    except KsnapshotError:
        return False
    return True


def note_unread(
    storage: RunStorage, entry: Entry, failure: Failure, *, now: Callable[[], datetime]
) -> bool:
    """Record beside a backup that it could not be read, so that others have their turn first.

    Best effort, also behind the run's deadline; returns whether it is recorded.
    """
    record = UnreadRecord(
        run=entry.id, finished=now(), reason=failure.reason, message=failure.message
    )
    key, body = f"{entry.record}{unread_name(record.finished)}", write_record(record)
    try:
        storage.call_at_end(
            lambda: storage.bucket.put(key, body, only_new=False), last_seconds=_LAST_SECONDS
        )
    except (KsnapshotError, TimeoutError) as error:
        known = fields(key=key, why=str(error) or "no answer")
        _LOG.info("not recorded that a backup could not be read", extra=known)
        return False
    return True
