"""Storing all that a dump consists of: every stream as an object, several at a time."""

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import zip_longest

from dumpers.engines.protocol import DumpStream
from dumpers.repository.records import ObjectRecord
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.log import fields
from dumpers.runtime.progress import Progress
from dumpers.storage.multipart import Upload, choose_part_size
from dumpers.storage.run_storage import RunStorage
from dumpers.streams import age
from dumpers.streams.filters import CountingReader, GzipReader
from dumpers.streams.reader import copy

_LOG = logging.getLogger(__name__)

# Of all lanes together: each has the buffers of an upload, some 15 MiB in all.
_MOST_AT_A_TIME = 8


def store_all(
    streams: Sequence[DumpStream],
    *,
    keys: Sequence[str],
    parallel: int,
    part_size: int | None,
    recipients: Sequence[age.Recipient],
    storage: RunStorage,
) -> Sequence[ObjectRecord]:
    """Store every stream under its key, `parallel` of each lane at a time, in the order given.

    One that fails is read again if it says that this may help; else all end and its error is
    raised. `part_size` is in bytes, None meaning that the estimates decide.
    """
    groups: dict[str, deque[tuple[DumpStream, str]]] = {}
    for stream, key in zip(streams, keys, strict=True):
        groups.setdefault(stream.concurrency_group, deque()).append((stream, key))
    workers = _workers(groups, parallel)
    at_a_time = min(len(workers), _MOST_AT_A_TIME)
    progress = Progress(total=len(streams))
    storing = _Storing(
        storage=storage,
        part_size=part_size,
        at_a_time=at_a_time,
        recipients=recipients,
        progress=progress,
    )
    with progress.shown():
        stored = _run(workers, storing, at_a_time)
        return [
            storing.prove(stored[key], stream, key)
            for stream, key in zip(streams, keys, strict=True)
        ]


def _workers(
    groups: dict[str, deque[tuple[DumpStream, str]]], parallel: int
) -> list[deque[tuple[DumpStream, str]]]:
    """The lanes, each as often as it is worked on at a time; first of all each of them once."""
    often = [
        [concurrency_group] * min(parallel, len(concurrency_group))
        for concurrency_group in groups.values()
    ]
    return [
        concurrency_group
        for once in zip_longest(*often)
        for concurrency_group in once
        if concurrency_group is not None
    ]


def _run(
    workers: Sequence[deque[tuple[DumpStream, str]]], storing: "_Storing", at_a_time: int
) -> dict[str, ObjectRecord]:
    stored: dict[str, ObjectRecord] = {}

    def work(concurrency_group: deque[tuple[DumpStream, str]]) -> None:
        while concurrency_group:
            try:
                stream, key = concurrency_group.popleft()
            except IndexError:
                return
            stored[key] = storing.store_again(stream, key)

    if at_a_time == 1:
        for concurrency_group in workers:
            work(concurrency_group)
        return stored
    with ThreadPoolExecutor(at_a_time, thread_name_prefix="stream") as pool:
        under_way = [pool.submit(work, concurrency_group) for concurrency_group in workers]
        try:
            for ended in as_completed(under_way):
                ended.result()
        except BaseException:
            # No manifest will be written, so the others have nothing to go on for.
            storing.storage.interrupt.cancel("the failure of another stream")
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return stored


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storing:
    storage: RunStorage
    part_size: int | None
    at_a_time: int
    recipients: Sequence[age.Recipient]
    progress: Progress

    def prove(self, stored: ObjectRecord, stream: DumpStream, key: str) -> ObjectRecord:
        """Add what the stream says once all are stored; one that takes it back is read again."""
        while True:
            try:
                return replace(stored, metadata=stream.metadata())
            except SourceFailedError as error:
                self._ask(stream, key, error)
                stored = self.store_again(stream, key)

    def store_again(self, stream: DumpStream, key: str) -> ObjectRecord:
        """Store a stream, from its start again as long as it says that this may help."""
        while True:
            try:
                return self._store(stream, key)
            except SourceFailedError as error:
                self._ask(stream, key, error)

    def _ask(self, stream: DumpStream, key: str, error: SourceFailedError) -> None:
        self.storage.interrupt.check()
        if not stream.can_retry(error):
            raise error
        _LOG.warning("reading once more", extra=fields(key=key, why=str(error)))

    def _store(self, stream: DumpStream, key: str) -> ObjectRecord:
        part_size = self.part_size or choose_part_size(stream.estimate, self.at_a_time)
        # The upload is left after the tool has ended: a dump that goes wrong at its very end still
        # aborts it.
        with (
            Upload.begin(self.storage, key, part_size=part_size) as upload,
            stream.open(self.storage.interrupt) as tool,
            CountingReader(tool) as raw,
        ):
            packed = GzipReader(raw)
            name = ".".join((stream.name, *stream.part))
            with self.progress.of(name, read=lambda: raw.count, sent=lambda: upload.size):
                if self.recipients:
                    age.encrypt(packed, upload, self.recipients)
                else:
                    copy(packed, upload)
            stored = upload.complete()
        return ObjectRecord(
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
