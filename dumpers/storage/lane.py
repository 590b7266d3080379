"""One store's side of an upload that may go to several stores at once."""

import base64
import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_futures
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from isal import isal_zlib

from dumpers.runtime.errors import KsnapshotError, StorageFailedError, StorageRefusedError
from dumpers.storage.completion import Completion, StoredObject
from dumpers.storage.open_uploads import abort, create
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import STALLED_SECONDS

_TOKEN_BYTES = 8
# Together with the abort that follows, less than the 30 s after which a pod is killed.
_LAST_PARTS_SECONDS = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class Part:
    """A part of the upload, held in memory until nobody in `owing` has to send it any more.

    `number` counts from 1, `size` are the bytes of `buffer` that are filled. `crc32` is worked out
    by whoever needs it first.
    """

    number: int
    buffer: bytearray
    size: int
    owing: "set[Lane]"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _crc32: str = ""

    @property
    def data(self) -> memoryview:
        """The bytes to send."""
        return memoryview(self.buffer)[: self.size]

    def crc32(self) -> str:
        """The CRC-32 of the part, as S3 writes it: made once, whatever the number of stores."""
        with self._lock:
            if not self._crc32:
                self._crc32 = base64_crc32(isal_zlib.crc32(self.data))
            return self._crc32


class Lane:
    """One store's side of an upload: sends its parts in order, some at a time.

    `changed` guards the lane and the parts, and is notified of what becomes of them; `free` takes
    the buffer of a part that no lane has to send any more, with the guard held. Threads of the
    store's own send; one that fails leaves its error in `error`, and nothing more is sent. `clock`
    gives seconds; where the lane `is_watched`, each block of a part is progress, too.
    """

    def __init__(
        self,
        store: RunStorage,
        name: str,
        key: str,
        *,
        changed: threading.Condition,
        free: Callable[[bytearray], None],
        clock: Callable[[], float],
        is_watched: bool,
    ) -> None:
        self.name = name
        self.error: BaseException | None = None
        self.is_completed = False
        self._store = store
        # Parts that wait for the store stop waiting when the upload is left.
        self._scope = store.interrupt.child()
        self._sending = store.with_interrupt(self._scope)
        self._key = key
        self._token = secrets.token_hex(_TOKEN_BYTES)
        self._changed = changed
        self._free = free
        self._clock = clock
        self._is_watched = is_watched
        self._waiting: deque[Part] = deque()
        self._under_way: dict[Part, Future[None]] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._reached: dict[int, int] = {}
        self._moved = clock()
        self._upload = create(store, key, token=self._token).id
        self._checksums = store.checksums

    def send(self, part: Part) -> None:
        """Send a part as soon as it is its turn; with the guard held."""
        if self.is_idle:
            self._moved = self._clock()
        self._waiting.append(part)
        self._send_more()

    @property
    def is_idle(self) -> bool:
        """Whether all parts so far were sent; with the guard held."""
        return not self._waiting and not self._under_way

    def stalled(self) -> KsnapshotError | None:
        """The error for a store that has got no further for too long while parts wait for it."""
        seconds = self._clock() - self._moved
        if self.is_idle or seconds < STALLED_SECONDS:
            return None
        return StorageFailedError(
            f"cannot upload {self._key}: the store took no byte and gave no answer for "
            f"{seconds:.0f} s while parts waited for it"
        )

    def drop(self) -> None:
        """Send nothing more, and owe nothing; with the guard held."""
        self._scope.cancel("the end of its upload")
        # One that is on its way is not waited for: what comes of it is aborted.
        for part in (*self._waiting, *self._under_way):
            self._settle(part)
        self._waiting.clear()

    def leave(self) -> None:
        """Abort the upload, so that no part stays in the store; never raises."""
        with self._changed:
            self.drop()
            sending = [future for future in self._under_way.values() if not future.cancel()]
        # A part that arrives after the abort would stay in the store, so parts under way may end
        # first, but not for long: one may hang.
        wait_futures(sending, _LAST_PARTS_SECONDS)
        abort(self._store, self._key, self._upload)

    def leave_given_up(self) -> None:
        """The same at a store that the run has given up: nobody waits long for it."""
        self._store = self._store.given_up()
        self.leave()

    def complete(self, *, size: int, parts: int, sha256: str, crc32: int) -> StoredObject:
        """Make the object exist, then ask the store whether it holds what was sent.

        StorageFailedError if the store has not taken all of the `parts`, or holds something else.
        """
        if len(self._answers) != parts:
            raise StorageFailedError(
                f"cannot complete {self._key}: the store has {len(self._answers)} of {parts} parts"
            )
        stored = Completion(
            store=self._store,
            key=self._key,
            upload=self._upload,
            token=self._token,
            size=size,
            sha256=sha256,
            crc32=base64_crc32(crc32),
            checksums=self._checksums,
        ).complete([self._answers[number] for number in sorted(self._answers)])
        self.is_completed = True
        return stored

    def _send_more(self) -> None:
        while self._waiting and len(self._under_way) < self._store.upload_concurrency:
            part = self._waiting.popleft()
            # The guard is held, so that the part is there when its thread takes it out.
            self._under_way[part] = self._store.submit(partial(self._send, part))

    def _send(self, part: Part) -> None:
        answer: dict[str, Any] | None = None
        error: BaseException | None = None
        try:
            answer = self._sending.repeat(lambda: self._send_once(part))
        except BaseException as found:  # noqa: BLE001  raised where the upload is written
            error = found
        with self._changed:
            self._under_way.pop(part, None)
            self._reached.pop(part.number, None)
            self._moved = self._clock()
            if answer is not None:
                self._answers[part.number] = answer
            elif self.error is None:
                self.error = error
                self.drop()
            self._settle(part)
            if self.error is None and not self._scope.is_cancelled:
                self._send_more()
            self._changed.notify_all()

    def _settle(self, part: Part) -> None:
        if self in part.owing:
            part.owing.discard(self)
            if not part.owing:
                self._free(part.buffer)
                self._changed.notify_all()

    def _send_once(self, part: Part) -> dict[str, Any]:
        """Send a part with its checksum; once more without, where the store refuses that."""
        refusal = None
        if self._checksums:
            try:
                return self._upload_part(part, part.crc32())
            except StorageRefusedError as error:
                refusal = error
        answer = self._upload_part(part, None)
        if refusal is not None:
            self._checksums = False
            self._store.forgo_checksums(refusal)
        return answer

    def _upload_part(self, part: Part, crc32: str | None) -> dict[str, Any]:
        sent = 0

        def hear(size: int) -> None:
            # Bytes that an earlier attempt has sent as well are no progress.
            nonlocal sent
            sent += size
            if sent > self._reached.get(part.number, 0):
                self._reached[part.number] = sent
                self._moved = self._clock()

        bucket = self._sending.bucket_heard(hear) if self._is_watched else self._sending.bucket
        return bucket.upload_part(
            self._key, self._upload, number=part.number, data=part.data, crc32=crc32
        )


def base64_crc32(value: int) -> str:
    """A CRC-32 as S3 writes it: base64 of its four bytes, the highest first."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()
