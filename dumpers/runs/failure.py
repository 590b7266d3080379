"""Recording that a run failed, so that a listing alone tells failed runs from running ones."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import FailedRecord
from dumpers.runtime.errors import KsnapshotError, describe_failure
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage

_LOG = logging.getLogger(__name__)

# A pod is killed 30 s after SIGTERM; the abort of uploads before this has most of that time.
_LAST_SECONDS = 3.0


@contextmanager
def recorded_failure(
    storage: RunStorage, run: Run, *, now: Callable[[], datetime]
) -> Iterator[None]:
    """Write the run's failed record where the body raises, and raise the same error.

    Best effort, with the run's patience: a record that cannot be written is only logged.
    """
    try:
        yield
    except BaseException as error:
        try:
            _record(storage, run, error, now=now)
        except Exception as problem:  # noqa: BLE001  whatever it is, the first error counts
            known = isinstance(problem, KsnapshotError | TimeoutError)
            why = str(problem) or "no answer" if known else type(problem).__name__
            _LOG.info("failure not recorded", extra=fields(key=run.failed_key, why=why))
        raise


def _record(
    storage: RunStorage, run: Run, error: BaseException, *, now: Callable[[], datetime]
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
        last_seconds=_LAST_SECONDS,
    )
