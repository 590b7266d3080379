"""Recording that a run failed, so that a listing alone tells failed runs from running ones.

A store may have taken a manifest whose answer got lost, so it is looked for first. Where that does
not show, both may be there: readers go by the manifest.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from dumpers.repository.keys import Run
from dumpers.repository.record_json import read_record, write_record
from dumpers.repository.records import FailedRecord, Manifest
from dumpers.runtime.errors import KsnapshotError, describe_failure
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# A pod is killed 30 s after SIGTERM; the abort of uploads before this has most of that time.
_LAST_SECONDS = 3.0
_LOOK_SECONDS = 1.0


@contextmanager
def recorded_failure(
    storage: RunStorage, run: Run, *, now: Callable[[], datetime]
) -> Iterator[None]:
    """Write the run's failed record where the body raises, and raise the same error.

    Best effort, with the run's patience: a record that cannot be written is only logged. None is
    written where the manifest is there.
    """
    try:
        yield
    except BaseException as error:
        record_failure(storage, run, error, now=now, may_be_committed=True)
        raise


def record_failure(
    storage: RunStorage,
    run: Run,
    error: BaseException,
    *,
    now: Callable[[], datetime],
    may_be_committed: bool,
) -> None:
    """Write the failed record of a run that `error` ended; never raises.

    Where it `may_be_committed`, because its manifest was on its way, that is looked for first.
    """
    try:
        if may_be_committed and _is_committed(storage, run):
            why = "its manifest is there"
            _LOG.info("failure not recorded", extra=fields(key=run.failed_key, why=why))
            return
        spent = _LOOK_SECONDS if may_be_committed else 0.0
        _record(storage, run, error, now=now, last_seconds=_LAST_SECONDS - spent)
    except Exception as problem:  # noqa: BLE001  whatever it is, the first error counts
        known = isinstance(problem, KsnapshotError | TimeoutError)
        why = str(problem) or "no answer" if known else type(problem).__name__
        _LOG.info("failure not recorded", extra=fields(key=run.failed_key, why=why))


def _is_committed(storage: RunStorage, run: Run) -> bool:
    """Whether the run's manifest is seen; false where nothing shows that."""
    try:
        found = storage.call_at_end(
            lambda: storage.bucket.get_version(run.manifest_key), last_seconds=_LOOK_SECONDS
        )
    except (KsnapshotError, TimeoutError):
        return False
    return found is not None and isinstance(read_record(found[0]), Manifest)


def _record(
    storage: RunStorage,
    run: Run,
    error: BaseException,
    *,
    now: Callable[[], datetime],
    last_seconds: float,
) -> None:
    failure = describe_failure(error)
    record = FailedRecord(
        run=run.id,
        finished=now(),
        exit_code=failure.exit_code,
        reason=failure.reason,
        message=failure.message,
    )
    body = write_record(record)
    storage.call_at_end(
        lambda: storage.bucket.put(run.failed_key, body, only_new=False),
        last_seconds=last_seconds,
    )
