"""The restore that a new workload begins with: once, and with a record of its end in the stores.

What keeps it from harm is that it goes where nothing is. The record keeps it from being done again
for a workload whose database was emptied on purpose, where nobody else remembers it. It lies in
every storage of the workload, as far as these take it, so that one that is away, or that is not
used any more, takes neither the restore nor what is known of it along.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import STORE_ERRORS

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one storage, of this name, has the record."""

    name: str
    storage: RunStorage
    key: str


def bootstrap(
    job: RestoreJob,
    wanted: Bootstrap,
    listener: Listener,
    *,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> RestoreResult:
    """Restore for a new workload, unless a store says that it was, and record the end.

    Raises BootstrappedBeforeError, and what `restore` raises.
    """
    started = now()
    with ExitStack() as opened:
        places = _open(job, wanted, opened, interrupt)
        _refuse_second(places, wanted)

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
            for place in places:
                record_at_end(
                    place.storage,
                    place.key,
                    written,
                    unrecorded="the bootstrap is not recorded in the store",
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


def _open(
    job: RestoreJob, wanted: Bootstrap, opened: ExitStack, interrupt: Interrupt
) -> Sequence[_Place]:
    """The storages of the job that can be opened; `opened` closes them."""
    return [
        _Place(
            name=named.name,
            storage=opened.enter_context(
                RunStorage(named.location, run="bootstrap", interrupt=interrupt)
            ),
            key=bootstrap_key(
                path=named.location.path, cluster=job.cluster, cronjob=wanted.cronjob
            ),
        )
        for named in job.storages
        if not named.fault
    ]


def _refuse_second(places: Sequence[_Place], wanted: Bootstrap) -> None:
    """Raise BootstrappedBeforeError where a store says so, and a store's error where none answers.

    Each of them was given the record: one that is away leaves the word to the others.
    """
    away: list[KsnapshotError] = []
    for place in places:
        try:
            _refuse_recorded(place, wanted)
        except STORE_ERRORS as error:
            known = fields(storage=place.name, why=str(error))
            _LOG.warning("a storage is passed over", extra=known)
            away.append(error)
    if len(away) == len(places):
        raise away[0]


def _refuse_recorded(place: _Place, wanted: Bootstrap) -> None:
    storage, key = place.storage, place.key
    if storage.call(lambda: storage.bucket.head(key)) is None:
        return
    found = read_record(storage.call(lambda: storage.bucket.get(key)))
    # Another owner is another workload, which only has the name and the place of that one.
    if isinstance(found, BootstrapRecord) and found.done and found.owner == wanted.owner:
        raise BootstrappedBeforeError(
            f"it was restored from {found.run} of {found.source} on "
            f"{found.finished:%Y-%m-%d %H:%M} UTC, by {key}"
        )
