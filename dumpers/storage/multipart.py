"""Writes a large object in parts, to all stores of a run at once; it exists only once it is whole.

What does not depend on the store is done once: the parts are filled, the sha256 and the checksums
are worked out, and a part's memory is free again when every store has it. So several stores take
the memory and about the CPU time of one, and the slowest sets the pace: the others wait for it as
soon as all buffers wait for it, at most until it is given up.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import wait as wait_futures
from typing import Self

from isal import isal_zlib

from dumpers.contract.names import PART_SIZE
from dumpers.runtime.errors import KsnapshotError, StorageRefusedError
from dumpers.storage.completion import StoredObject
from dumpers.storage.lane import Lane, Part
from dumpers.storage.part_size import MAX_PARTS, MEBIBYTE, choose_buffers, choose_part_size
from dumpers.storage.stores import STORE_ERRORS, Stores
from dumpers.storage.way_out import run_detached
from dumpers.streams.digest import BackgroundSha256


class Upload:
    """A large object on its way: written like a file, existing only after `complete`.

    A context manager: leaving it in any other way aborts the upload in every store, so that no part
    stays. Takes the memory of its buffers, of one part each, whatever the number of stores.
    """

    @classmethod
    def begin(
        cls,
        stores: Stores,
        keys: Mapping[str, str],
        *,
        part_size: int | None,
        estimate: int = 0,
        uploads: int = 1,
    ) -> Self:
        """Begin an upload to every store that is still in, under its key of `keys`.

        `part_size` is in bytes, None meaning that the estimate of the bytes before compression
        decides; `uploads` is how many are under way at a time.
        """
        stores.check_left()
        concurrency = max(stores[name].upload_concurrency for name in stores.still_in)
        size = part_size or choose_part_size(estimate, uploads, concurrency)
        # Memory first, so that no upload has begun where there is too little.
        buffers = [bytearray(size) for _ in range(choose_buffers(size, uploads, concurrency))]
        return cls(stores, keys, buffers)

    def __init__(self, stores: Stores, keys: Mapping[str, str], buffers: list[bytearray]) -> None:
        self._stores = stores
        self._part_size = len(buffers[0])
        self._changed = threading.Condition()
        self._free = buffers
        self._buffer: bytearray | None = None
        self._filled = 0
        self._count = 0
        self._key = next(iter(keys.values()))
        self._lanes: list[Lane] = []
        self._begin(keys)
        self._digest = BackgroundSha256()
        self._crc32 = 0
        self._completed = False
        self.size = 0

    def _begin(self, keys: Mapping[str, str]) -> None:
        begun: list[Lane] = []

        def begin(name: str) -> None:
            lane = Lane(
                self._stores[name],
                name,
                keys[name],
                changed=self._changed,
                free=self._free.append,
                clock=self._stores.clock,
                is_watched=not self._stores.is_one,
            )
            begun.append(lane)

        try:
            self._stores.each(begin)
        except BaseException:
            _leave(begun)
            raise
        # In the job's order.
        self._lanes = sorted(begun, key=lambda lane: list(keys).index(lane.name))
        self._look_after()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._digest.end()
        if not self._completed:
            _leave([lane for lane in self._lanes if not lane.is_completed])

    def write(self, data: bytes, /) -> int:
        """Take `data`, sending each part that becomes full; raises the error of the last store."""
        view = memoryview(data)
        self._digest.update(data)
        self._crc32 = isal_zlib.crc32(view, self._crc32)
        while view:
            if self._buffer is None:
                self._buffer = self._next_buffer()
            taken = min(len(view), self._part_size - self._filled)
            self._buffer[self._filled : self._filled + taken] = view[:taken]
            self._filled += taken
            self.size += taken
            view = view[taken:]
            if self._filled == self._part_size:
                self._send(self._buffer)
        return len(data)

    def flush(self) -> None:
        """Do nothing: a part is sent when it is full, the last one by `complete`."""

    def sha256(self) -> str:
        """The sha256 of all that was written, as hex; nothing may be written behind this."""
        return self._digest.end()

    def complete(self) -> Mapping[str, StoredObject]:
        """Make the object exist in every store that is still in, then ask each what it holds.

        A store that holds something else than what was sent is given up: StorageFailedError if it
        is the last. Where the run has no right to ask (HEAD), a store is trusted, with a warning in
        the log.
        """
        if self._buffer is not None:
            self._send(self._buffer)
        self._wait_until(lambda: all(lane.is_idle for lane in self._lanes))
        # Whatever store is still in has one: only those that were given up are in the list no more.
        sha256, lanes = self._digest.end(), {lane.name: lane for lane in self._lanes}
        stored = self._stores.each(
            lambda name: lanes[name].complete(
                size=self.size, parts=self._count, sha256=sha256, crc32=self._crc32
            )
        )
        self._look_after()
        self._completed = True
        return stored

    def _next_buffer(self) -> bytearray:
        self._wait_until(lambda: bool(self._free))
        with self._changed:
            return self._free.pop()

    def _wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`, looking after the stores meanwhile; `ready` is asked with the guard.

        A part that failed also gives its buffer back: its error is raised here.
        """

        def attempt(timeout: float) -> TimeoutError | None:
            with self._changed:
                self._changed.wait_for(
                    lambda: ready() or any(lane.error for lane in self._lanes), timeout
                )
            try:
                self._look_after()
            except TimeoutError as error:
                # Raised here, it would be taken for one of the wait.
                return error
            with self._changed:
                # A lane that has failed since owes nothing, and is idle as if all were sent.
                if not ready() or any(lane.error for lane in self._lanes):
                    raise TimeoutError
            return None

        if error := self._stores.interrupt.wait(attempt):
            raise error

    def _look_after(self) -> None:
        """Give up the stores that failed or got no further; raises the error of the last one."""
        for lane in tuple(self._lanes):
            if lane.name not in self._stores.still_in:
                self._drop(lane)
            elif error := lane.error or self._stalled(lane):
                if not isinstance(error, STORE_ERRORS):
                    raise error
                try:
                    self._stores.give_up(lane.name, error)
                finally:
                    # Nobody waits long for the last of several either.
                    if not self._stores.is_one:
                        self._drop(lane)
        # Others may have been given up by another upload.
        self._stores.check_left()

    def _stalled(self, lane: Lane) -> KsnapshotError | None:
        if self._stores.is_one:
            return None
        with self._changed:
            return lane.stalled()

    def _drop(self, lane: Lane) -> None:
        self._lanes.remove(lane)
        with self._changed:
            lane.drop()
        # What its parts have waited for since the store was given up.
        self._stores.interrupt.hold_up("")
        # The upload goes on meanwhile.
        self._stores.clean_up(lane.leave_given_up)

    def _send(self, buffer: bytearray) -> None:
        number, filled = self._count + 1, self._filled
        if number > MAX_PARTS:
            raise StorageRefusedError(
                f"{self._key} needs more than {MAX_PARTS} parts of {self._part_size // MEBIBYTE} "
                f"MiB, the most that S3 takes: set {PART_SIZE} to a higher number"
            )
        self._buffer, self._filled, self._count = None, 0, number
        with self._changed:
            part = Part(number=number, buffer=buffer, size=filled, owing=set(self._lanes))
            for lane in self._lanes:
                lane.send(part)


def _leave(lanes: list[Lane]) -> None:
    """Abort the uploads of these lanes, side by side; never raises."""
    if len(lanes) == 1:
        lanes[0].leave()
    else:
        wait_futures([run_detached(lane.leave) for lane in lanes])
