"""Storing all that a dump consists of: every stream as an object, several at a time."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.protocol import DumpStream, FingerprintedStream
from dumpers.repository.records import ObjectRecord
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.log import fields
from dumpers.runtime.progress import Progress
from dumpers.runtime.threads import map_parallel
from dumpers.storage.multipart import Upload
from dumpers.storage.part_size import choose_part_size
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age
from dumpers.streams.filters import CountingReader, GzipReader
from dumpers.streams.fingerprint import ScannedReader
from dumpers.streams.reader import copy

_LOG = logging.getLogger(__name__)

# Of all groups together: each stream has the buffers of an upload, all of them some 15 MiB.
_MOST_AT_A_TIME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """The record of an object, and what it holds; None where its stream has no fingerprint."""

    record: ObjectRecord
    fingerprint: Fingerprint | None


def store_all(
    streams: Sequence[DumpStream],
    *,
    keys: Sequence[str],
    parallel: int,
    part_size: int | None,
    recipients: Sequence[age.Recipient],
    storage: RunStorage,
) -> Sequence[StoredObject]:
    """Store every stream under its key and return what was stored, in the order given.

    `parallel` streams of each concurrency group are read at a time. A stream that fails, or that
    the engine withdraws after all are stored, is read again if the stream says that this may help.
    Otherwise the other streams are stopped, and the error is raised; `storage.interrupt` is not
    cancelled by this. `part_size` is in bytes, None meaning that the estimates decide.
    """
    jobs = [_Job(stream=stream, key=key) for stream, key in zip(streams, keys, strict=True)]
    progress = Progress(total=len(jobs))
    scope = storage.interrupt.child()
    storing = _Storing(
        storage=storage.with_interrupt(scope),
        part_size=part_size,
        at_a_time=_at_a_time(_workers(jobs, parallel)),
        recipients=recipients,
        progress=progress,
    )
    stored: dict[str, StoredObject] = {}
    with progress.shown():
        withdrawn = jobs
        while withdrawn:
            stored |= _run(_workers(withdrawn, parallel), storing)
            withdrawn = [job for job in withdrawn if not storing.prove(job, stored)]
    return [stored[key] for key in keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    stream: DumpStream
    key: str


def _workers(jobs: Sequence[_Job], parallel: int) -> list[deque[_Job]]:
    """One queue per worker: each concurrency group's, up to `parallel` times.

    Every group comes once before any comes again.
    """
    groups: dict[str, deque[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.stream.concurrency_group, deque()).append(job)
    repeated = [[group] * min(parallel, len(group)) for group in groups.values()]
    return [group for once in zip_longest(*repeated) for group in once if group is not None]


def _at_a_time(workers: Sequence[deque[_Job]]) -> int:
    return min(len(workers), _MOST_AT_A_TIME)


def _run(workers: Sequence[deque[_Job]], storing: "_Storing") -> dict[str, StoredObject]:
    stored: dict[str, StoredObject] = {}

    def work(queue: deque[_Job]) -> None:
        while queue:
            try:
                job = queue.popleft()
            except IndexError:
                return
            stored[job.key] = storing.store_again(job)

    map_parallel(
        work,
        workers,
        at_a_time=_at_a_time(workers),
        name="stream",
        # No manifest will be written, so the other streams have nothing to go on for.
        stop=lambda: storing.storage.interrupt.cancel("the failure of another stream"),
    )
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storing:
    storage: RunStorage
    part_size: int | None
    at_a_time: int
    recipients: Sequence[age.Recipient]
    progress: Progress

    def prove(self, job: _Job, stored: dict[str, StoredObject]) -> bool:
        """Add what the engine knows of a stream once all are stored; False if it withdraws it."""
        try:
            found = stored[job.key]
            record = replace(found.record, metadata=job.stream.metadata())
            stored[job.key] = replace(found, record=record)
        except SourceFailedError as error:
            self._ask(job, error)
            return False
        return True

    def store_again(self, job: _Job) -> StoredObject:
        """Store a stream, from its start again as long as the stream says that this may help."""
        while True:
            try:
                return self._store(job.stream, job.key)
            except SourceFailedError as error:
                self._ask(job, error)

    def _ask(self, job: _Job, error: SourceFailedError) -> None:
        self.storage.interrupt.check()
        if not job.stream.can_retry(error):
            raise error
        _LOG.warning("reading once more", extra=fields(key=job.key, why=str(error)))

    def _store(self, stream: DumpStream, key: str) -> StoredObject:
        part_size = self.part_size or choose_part_size(stream.estimate, self.at_a_time)
        scanner = stream.scanner() if isinstance(stream, FingerprintedStream) else None
        # The upload is left after the tool has ended: a dump that goes wrong at its very end still
        # aborts it.
        with (
            Upload.begin(self.storage, key, part_size=part_size) as upload,
            stream.open(self.storage.interrupt) as tool,
            CountingReader(ScannedReader(tool, scanner) if scanner else tool) as raw,
        ):
            packed = GzipReader(raw)
            name = ".".join((stream.name, *stream.part))
            with self.progress.of(name, read=lambda: raw.count, sent=lambda: upload.size):
                if self.recipients:
                    age.encrypt(packed, upload, self.recipients)
                else:
                    copy(packed, upload)
            stored = upload.complete()
        record = ObjectRecord(
            key=stored.key,
            name=stream.name,
            part=stream.part,
            ending=stream.ending,
            size=stored.size,
            sha256=stored.sha256,
            crc32=stored.crc32,
            source_size=raw.count,
            source_sha256=raw.sha256(),
            checked=stored.checked,
        )
        return StoredObject(record=record, fingerprint=scanner.end() if scanner else None)
