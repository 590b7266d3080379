"""The restore that a new workload begins with: once, and with a record of its end in the store.

What keeps it from harm is that it goes where nothing is. The record keeps it from being done again
for a workload whose database was emptied on purpose, where nobody else remembers it.
"""

from collections.abc import Callable
from datetime import datetime

from dumpers.contract.restore.bootstrap import Bootstrap
from dumpers.contract.restore.jobs import RestoreJob
from dumpers.contract.restore.result import RestoreResult
from dumpers.repository.keys import bootstrap_key
from dumpers.repository.record_json import read_record
from dumpers.repository.records import BootstrapRecord
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runs.restore.last_record import record_at_end
from dumpers.runs.restore.reader import restore
from dumpers.runtime.errors import BootstrappedBeforeError, KsnapshotError, describe_failure
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.run_storage import RunStorage


def bootstrap(
    job: RestoreJob,
    wanted: Bootstrap,
    listener: Listener,
    *,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> RestoreResult:
    """Restore for a new workload, unless the store says that it was, and record the end.

    Raises BootstrappedBeforeError, and what `restore` raises.
    """
    key = bootstrap_key(path=job.location.path, cluster=job.cluster, cronjob=wanted.cronjob)
    started = now()
    with RunStorage(job.location, run="bootstrap", interrupt=interrupt) as storage:
        _refuse_second(storage, key, wanted)

        def record(*, done: bool, reason: str, message: str, run: str = "") -> None:
            written = BootstrapRecord(
                owner=wanted.owner,
                asked=wanted.asked,
                source=job.cronjob,
                run=run,
                started=started,
                finished=now(),
                done=done,
                reason=reason,
                message=message,
            )
            record_at_end(
                storage, key, written, unrecorded="the bootstrap is not recorded in the store"
            )

        try:
            result = restore(job, listener, interrupt=interrupt, now=now)
        except KsnapshotError as error:
            failure = describe_failure(error)
            record(done=False, reason=failure.reason, message=failure.message)
            raise
        record(
            done=result.succeeded, reason=result.reason, message=result.message, run=result.backup
        )
    return result


def _refuse_second(storage: RunStorage, key: str, wanted: Bootstrap) -> None:
    if storage.call(lambda: storage.bucket.head(key)) is None:
        return
    found = read_record(storage.call(lambda: storage.bucket.get(key)))
    # Another owner is another workload, which only has the name and the place of that one.
    if isinstance(found, BootstrapRecord) and found.done and found.owner == wanted.owner:
        raise BootstrappedBeforeError(
            f"it was restored from {found.run} of {found.source} on "
            f"{found.finished:%Y-%m-%d %H:%M} UTC, by {key}"
        )
