"""Storing all that a dump consists of: every stream as an object, several at a time.

Each stream is read, compressed and encrypted once, whatever the number of stores.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeAlias

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.protocol import DumpStream, FingerprintedStream, PlacedStream
from dumpers.repository.records import ObjectRecord
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.log import fields
from dumpers.runtime.progress import Progress
from dumpers.runtime.threads import map_parallel
from dumpers.storage.multipart import Upload
from dumpers.storage.stores import Stores
from dumpers.streams import age
from dumpers.streams.filters import CountingReader
from dumpers.streams.fingerprint import ScannedReader
from dumpers.streams.packing import pack
from dumpers.streams.reader import copy

_LOG = logging.getLogger(__name__)

# Of all groups together, unless one alone has more: each stream has the buffers of an upload, all
# of them some 15 MiB.
_MOST_AT_A_TIME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStream:
    """The record of a stream's object, and its fingerprint; None where the stream takes none."""

    record: ObjectRecord
    fingerprint: Fingerprint | None


def store_all(
    streams: Sequence[DumpStream],
    *,
    keys: Mapping[str, Sequence[str]],
    parallel: int,
    part_size: int | None,
    compression: str,
    recipients: Sequence[age.Recipient],
    stores: Stores,
) -> Mapping[str, Sequence[StoredStream]]:
    """Store every stream in every store under its key there.

    `keys` are by the names of the stores, in the order of the streams, and so is what was stored,
    for the stores that are still in at the end. `parallel` streams of each concurrency group are
    read at a time. A stream that fails, or that the engine withdraws after all are stored, is read
    again if the stream says that this may help. Otherwise the other streams are stopped, and the
    error is raised; `stores.interrupt` is not cancelled by this. `part_size` is in bytes, None
    meaning that the estimates decide, `compression` is one of COMPRESSIONS.
    """
    jobs = [
        _Job(stream=stream, keys={name: listed[number] for name, listed in keys.items()})
        for number, stream in enumerate(streams)
    ]
    progress = Progress(total=len(jobs))
    scope = stores.interrupt.child()
    storing = _Storing(
        stores=stores.with_interrupt(scope),
        part_size=part_size,
        at_a_time=min(len(_workers(jobs, parallel)), max(parallel, _MOST_AT_A_TIME)),
        compression=compression,
        recipients=recipients,
        progress=progress,
    )
    stored: _Stored = {}
    with progress.shown():
        withdrawn = jobs
        while withdrawn:
            stored |= _run(_workers(withdrawn, parallel), storing)
            withdrawn = [job for job in withdrawn if not storing.prove(job, stored)]
    return {name: [stored[job][name] for job in jobs] for name in stores.still_in}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Job:
    """A stream that is to be stored, and its keys by the names of the stores."""

    stream: DumpStream
    keys: Mapping[str, str]

    @property
    def first_key(self) -> str:
        """The key in the first store, for messages."""
        return next(iter(self.keys.values()))


# What was stored of a job, by the names of the stores.
_Stored: TypeAlias = dict[_Job, Mapping[str, StoredStream]]


def _workers(jobs: Sequence[_Job], parallel: int) -> list[deque[_Job]]:
    """One queue per worker: each concurrency group's, up to `parallel` times.

    Every group comes once before any comes again.
    """
    groups: dict[str, deque[_Job]] = {}
    for job in sorted(jobs, key=_begins):
        groups.setdefault(job.stream.concurrency_group, deque()).append(job)
    repeated = [[group] * min(parallel, len(group)) for group in groups.values()]
    return [group for once in zip_longest(*repeated) for group in once if group is not None]


def _begins(job: _Job) -> int:
    return job.stream.begins if isinstance(job.stream, PlacedStream) else 0


def _run(workers: Sequence[deque[_Job]], storing: "_Storing") -> _Stored:
    stored: _Stored = {}

    def work(queue: deque[_Job]) -> None:
        while queue:
            try:
                job = queue.popleft()
            except IndexError:
                return
            stored[job] = storing.store(job)

    map_parallel(
        work,
        workers,
        at_a_time=min(len(workers), storing.at_a_time),
        name="stream",
        # No manifest will be written, so the other streams have nothing to go on for.
        stop=lambda: storing.stores.interrupt.cancel("the failure of another stream"),
    )
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storing:
    """How each stream is stored; the interrupt of `stores` ends all of them."""

    stores: Stores
    part_size: int | None
    at_a_time: int
    compression: str
    recipients: Sequence[age.Recipient]
    progress: Progress

    def prove(self, job: _Job, stored: _Stored) -> bool:
        """Add what the engine knows of a stream once all are stored; False if it withdraws it."""
        try:
            metadata = job.stream.metadata()
            stored[job] = {
                name: replace(found, record=replace(found.record, metadata=metadata))
                for name, found in stored[job].items()
            }
        except SourceFailedError as error:
            self._check_retry(job, error)
            return False
        return True

    def store(self, job: _Job) -> Mapping[str, StoredStream]:
        """Store a stream, from its start again as long as the stream says that this may help."""
        while True:
            try:
                return self._store_once(job.stream, job.keys)
            except SourceFailedError as error:
                self._check_retry(job, error)

    def _check_retry(self, job: _Job, error: SourceFailedError) -> None:
        """Raise `error` where reading the stream once more does not help."""
        self.stores.interrupt.check()
        if not job.stream.can_retry(error):
            raise error
        _LOG.warning("reading once more", extra=fields(key=job.first_key, why=str(error)))

    def _store_once(
        self, stream: DumpStream, keys: Mapping[str, str]
    ) -> Mapping[str, StoredStream]:
        scanner = stream.scanner() if isinstance(stream, FingerprintedStream) else None
        # The upload is left after the tool has ended: a dump that goes wrong at its very end still
        # aborts it.
        with (
            Upload.begin(
                self.stores,
                keys,
                part_size=self.part_size,
                estimate=stream.estimate,
                uploads=self.at_a_time,
            ) as upload,
            stream.open(self.stores.interrupt) as tool,
            CountingReader(ScannedReader(tool, scanner) if scanner else tool) as raw,
        ):
            packed = pack(raw, self.compression)
            name = ".".join((stream.name, *stream.part))
            with self.progress.of(name, read=lambda: raw.count, sent=lambda: upload.size):
                if self.recipients:
                    age.encrypt(packed, upload, self.recipients)
                else:
                    copy(packed, upload)
            stored = upload.complete()
        fingerprint = scanner.end() if scanner else None
        source_sha256 = raw.sha256()
        return {
            name: StoredStream(
                record=ObjectRecord(
                    key=found.key,
                    name=stream.name,
                    part=stream.part,
                    ending=stream.ending,
                    size=found.size,
                    sha256=found.sha256,
                    crc32=found.crc32,
                    source_size=raw.count,
                    source_sha256=source_sha256,
                    checked=found.checked,
                ),
                fingerprint=fingerprint,
            )
            for name, found in stored.items()
        }
