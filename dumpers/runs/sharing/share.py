"""One shard of a dump that the pods of a Job share, and the run's end if this pod is the last.

All pods of the Job write under one run, that of its first started record. Each has a record of its
shard, rewritten as objects are proved, so that a later pod of the same shard reads only the rest.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import DumpResult
from dumpers.contract.sharing import Share
from dumpers.engines.protocol import Dump, DumpEngine
from dumpers.repository.record_json import write_record
from dumpers.repository.records import StartedRecord
from dumpers.repository.removal.sweep import sweep
from dumpers.repository.sharing.shard_record import shared_run_id
from dumpers.runs.destinations.announcing import announce
from dumpers.runs.destinations.commit import check_deadline
from dumpers.runs.destinations.destination import Destination, make_destinations
from dumpers.runs.destinations.failures import recorded_failures
from dumpers.runs.naming import run_of
from dumpers.runs.sharing.claims import claim, find_claim
from dumpers.runs.sharing.ending import (
    find_manifest,
    result_of_part,
    result_of_run,
    try_to_commit,
)
from dumpers.runs.sharing.ledger import Ledger
from dumpers.runs.sharing.shard_dump import ShardDump, confirmed
from dumpers.runtime.errors import ConfigurationError, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.storage.open_uploads import probe
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import Stores, open_stores
from dumpers.streams import age


def dump_share(
    job: DumpJob,
    *,
    engine: DumpEngine,
    started: datetime,
    interrupt: Interrupt,
    now: Callable[[], datetime],
) -> DumpResult:
    """Store a shard, or what an earlier pod has left of it, and commit the run if all are done.

    `started` (UTC) counts where this is the first pod of its Job. Raises a KsnapshotError that
    names the shard, and leaves no open upload then.
    """
    share = job.share
    if share is None or share.index is None:
        raise ConfigurationError("spread: shards needs an Indexed Job: nothing says which shard")
    recipients = age.parse_recipients(job.recipients)
    run_id = shared_run_id(share.job)
    with (
        _named(share),
        open_stores(job.storages, run=run_id, started=started, interrupt=interrupt) as stores,
    ):
        [name] = stores.still_in
        begun = find_claim(stores[name], job, share)
        if begun:
            check_deadline(begun, now())
            ledger = Ledger(stores[name], _destination(begun, job).run, share.number)
            if result := _finished_before(stores[name], begun, job, ledger, now):
                return result
        with engine.open(job, interrupt) as opened:
            destination = _begin(stores, opened, job, share, begun, started=started, now=now)
            with recorded_failures({name: destination}, stores, now=now):
                announce(job, opened.info, {name: destination})
                bounded = until_deadline(stores, destination.record, now())
                # Another pod of the shard may have ended it while this one looked at the cluster.
                ledger = Ledger(bounded[name], destination.run, share.number)
                if result := _finished_before(bounded[name], destination.record, job, ledger, now):
                    return result
                work = ShardDump(
                    job=job,
                    opened=opened,
                    destination=destination,
                    stores=bounded,
                    recipients=recipients,
                    shard=share.number,
                    now=now,
                )
                return _store(work, ledger)


def until_deadline(stores: Stores, begun: StartedRecord, moment: datetime) -> Stores:
    """The stores as long as the run may take, of which this pod may be a late one.

    Kubernetes stops a pod at its Job's deadline, unless its node is out of reach; what it stored
    behind a sweep would stay, named by no record.
    """
    if begun.ends is None:
        return stores
    left = max((begun.ends - moment).total_seconds(), 0.0)
    return stores.with_interrupt(stores.interrupt.child(left, work="rest of the run"))


def _store(work: ShardDump, ledger: Ledger) -> DumpResult:
    """Store what is left of the shard, then end the run or leave that to others."""
    began = time.monotonic()
    destination, job = work.destination, work.job
    storage = work.stores[destination.name]
    record = work.begin(ledger, writer=secrets.token_hex(6))
    probe(storage, record.keys[0])
    if work.shard == 1:
        sweep(storage, destination.run, destination.record)
    record = work.store(ledger, record)
    manifest = try_to_commit(storage, destination, job, now=work.now)
    if manifest is None:
        return result_of_part(destination, job, record, seconds=time.monotonic() - began)
    return result_of_run(storage, destination, job, manifest, now=work.now)


def _finished_before(
    storage: RunStorage,
    begun: StartedRecord,
    job: DumpJob,
    ledger: Ledger,
    now: Callable[[], datetime],
) -> DumpResult | None:
    """The result of a pod that finds its shard, or the whole run, done; None where work is left.

    Then nobody ends the shard behind this look but by a change of what the ledger has read.
    """
    destination = _destination(begun, job)
    if manifest := find_manifest(storage, destination):
        return result_of_run(storage, destination, job, manifest, now=now)
    done = ledger.found
    if (
        done is None
        or not done.done
        or len(confirmed(storage, begun.run, done.objects)) < len(done.objects)
    ):
        return None
    storage.put_once(destination.run.started_key, write_record(begun))
    if manifest := try_to_commit(storage, destination, job, now=now):
        return result_of_run(storage, destination, job, manifest, now=now)
    return result_of_part(destination, job, done, seconds=0.0)


def _begin(
    stores: Stores,
    opened: Dump,
    job: DumpJob,
    share: Share,
    begun: StartedRecord | None,
    *,
    started: datetime,
    now: Callable[[], datetime],
) -> Destination:
    """Claim the run unless another pod has, and write its started record where it belongs."""
    [name] = stores.still_in
    storage, run_id = stores[name], shared_run_id(share.job)
    [own] = make_destinations(job, opened.streams, started=started, run_id=run_id).values()
    record = replace(own.record, shards=share.count)
    agreed = begun or claim(storage, own.run, record)
    check_deadline(agreed, now())
    destination = _destination(agreed, job)
    storage.put_once(destination.run.started_key, write_record(agreed))
    destination.is_begun = True
    return destination


def _destination(begun: StartedRecord, job: DumpJob) -> Destination:
    """Where the run of a started record writes to; any of its pods may have committed it."""
    [item] = job.storages
    run = run_of(job, item.location, started=begun.started, run_id=begun.run)
    return Destination(
        name=item.name, location=item.location, run=run, record=begun, is_committing=True
    )


@contextmanager
def _named(share: Share) -> Iterator[None]:
    """Put the shard's name before what an error says."""
    try:
        yield
    except KsnapshotError as error:
        error.args = (f"shard {share.number} of {share.count}: {error}",)
        raise
