"""The client's side of the exchange: it is offered a backup, fetches pieces, gives a verdict."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from dumpers.engines.protocol import StoredDump
from dumpers.runs.restore.exchange.channel import BrokenExchangeError, Channel, Kind
from dumpers.runs.restore.exchange.messages import (
    VERSION,
    Acknowledged,
    Fetch,
    Hello,
    Message,
    Offer,
    Planned,
    Stop,
    Verdict,
    decode,
    encode,
    make_error,
    read_trouble,
)
from dumpers.runs.restore.exchange.serving import ENDED, SOCKET
from dumpers.runtime.errors import (
    ConfigurationError,
    KsnapshotError,
    NotDrillableError,
    StorageFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.streams.reader import BufferedReader, Reader

_LOG = logging.getLogger(__name__)

_TRY_AGAIN_SECONDS = 0.2
_REFUSED_SECONDS = 3.0
_LAST_WORDS_SECONDS = 10.0
_NOTICED_SECONDS = 2.0


class ReaderConnection:
    """The connection to the reader of the backup that lasts as long as the restore.

    A context manager. `interrupt` is cancelled when the reader ends, or says that it has to.
    """

    def __init__(self, folder: str, interrupt: Interrupt, *, seconds: float) -> None:
        self._folder = Path(folder)
        self._interrupt = interrupt
        self._seconds = seconds
        self._is_acknowledged = self._is_left = False
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        self._channel = self._connect(seconds=self._seconds)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_left = True
        self._channel.close()

    def ask(self) -> Offer:
        """Say hello and return what is offered; from then on the reader's end is noticed.

        Raises the error with which the reader ended instead.
        """
        try:
            self._send(Hello(version=VERSION), self._interrupt)
            answer = self._receive(self._interrupt)
        except BrokenExchangeError:
            self._raise_if_ended()
            raise
        if isinstance(answer, Stop):
            raise make_error(answer.reason, answer.message)
        if not isinstance(answer, Offer) or answer.version != VERSION:
            raise ConfigurationError(
                "the two containers of the restore are of different versions: give both one image"
            )
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        return answer

    def tell(self, planned: Planned) -> None:
        """Tell the reader what is going to be done."""
        self._send(planned, self._interrupt)

    def give(self, verdict: Verdict) -> bool:
        """Give the verdict, whatever the interrupt says; whether the reader has it."""
        last = Interrupt(_LAST_WORDS_SECONDS, work="last message", is_part=True)
        try:
            self._send(verdict, last)
        except KsnapshotError as error:
            _LOG.warning("the verdict did not arrive", extra=fields(why=str(error)))
            return False
        self._is_over.wait(_LAST_WORDS_SECONDS)
        return self._is_acknowledged

    def give_at_once(self, verdict: Verdict) -> None:
        """Give the verdict in place of a hello, by a client that cannot begin."""
        last = Interrupt(_LAST_WORDS_SECONDS, work="last message", is_part=True)
        self._send(verdict, last)
        self._receive(last)

    def pieces(self, offer: Offer) -> tuple[StoredDump, ...]:
        """The backup's objects; each opening fetches one anew."""
        return tuple(
            StoredDump(
                name=piece.name,
                part=piece.part,
                ending=piece.ending,
                size=piece.size,
                metadata=piece.metadata,
                open=partial(self._open, place),
            )
            for place, piece in enumerate(offer.pieces)
        )

    @contextmanager
    def _open(self, place: int) -> Iterator[Reader]:
        with self._connect(seconds=0) as channel:
            channel.send(Kind.MESSAGE, encode(Fetch(piece=place)), self._interrupt)
            yield _PieceReader(channel, self._interrupt)

    def _connect(self, *, seconds: float) -> Channel:
        """Connect, again while the reader does not listen yet; its reason where it has ended."""
        ends = time.monotonic() + seconds
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._folder / SOCKET))
            except OSError as error:
                connection.close()
                self._raise_if_ended()
                if isinstance(error, ConnectionRefusedError):
                    # Somebody listened there, and will not do so again.
                    ends = min(ends, time.monotonic() + _REFUSED_SECONDS)
                if time.monotonic() >= ends:
                    raise BrokenExchangeError(
                        f"the container that reads the backup is not there ({error.strerror}), or "
                        "has ended: see its state and its log"
                    ) from error
                self._interrupt.sleep(_TRY_AGAIN_SECONDS)
            else:
                return Channel(connection)

    def _raise_if_ended(self) -> None:
        try:
            words = json.loads((self._folder / ENDED).read_text())
            reason, said = words["reason"], words["message"]
        except (OSError, ValueError, KeyError, TypeError):
            return
        if reason == NotDrillableError.reason:
            raise NotDrillableError(said)
        raise BrokenExchangeError(f"the container that reads the backup has ended: {said}")

    def _send(self, message: Message, interrupt: Interrupt) -> None:
        self._channel.send(Kind.MESSAGE, encode(message), interrupt)

    def _receive(self, interrupt: Interrupt) -> Message:
        kind, body = self._channel.receive(interrupt)
        try:
            if kind is Kind.MESSAGE:
                return decode(body)
        except ValueError:
            pass
        raise BrokenExchangeError("the container that reads the backup sends what is no message")

    def _watch(self) -> None:
        """Notice what the reader says last, or that it is gone, while the engine works."""
        watching = Interrupt(work="restore")
        try:
            while not self._is_acknowledged:
                answer = self._receive(watching)
                self._is_acknowledged = isinstance(answer, Acknowledged)
                if isinstance(answer, Stop):
                    why = f"the container that reads the backup ({answer.message})"
                    self._interrupt.cancel(why)
        except KsnapshotError:
            if not self._is_left:
                self._interrupt.cancel("the end of the container that reads the backup")
        finally:
            self._is_over.set()


class _PieceReader(BufferedReader):
    """One piece of the backup; its end is proven by the frame that says so."""

    def __init__(self, channel: Channel, interrupt: Interrupt) -> None:
        super().__init__()
        self._channel = channel
        self._interrupt = interrupt
        self._count = self._left = 0

    def next_block(self) -> bytes:
        try:
            return self._next()
        except BrokenExchangeError as error:
            # A reader that has ended is noticed by the other connection, sooner or later than here.
            self._interrupt.sleep(_NOTICED_SECONDS)
            raise StorageFailedError(
                f"the backup ended before its end was proven: {error}"
            ) from error

    def _next(self) -> bytes:
        while not self._left:
            kind, length = self._channel.begin(self._interrupt)
            if kind is not Kind.DATA:
                return self._end(kind, length)
            self._left = length
        block = self._channel.receive_some(self._interrupt)
        self._left -= len(block)
        self._count += len(block)
        return block

    def _end(self, kind: Kind, length: int) -> bytes:
        body = b""
        while len(body) < length:
            body += self._channel.receive_some(self._interrupt)
        if kind is Kind.ERROR:
            raise read_trouble(body)
        if kind is not Kind.END or body != str(self._count).encode():
            raise BrokenExchangeError("the end does not fit what came before it")
        return b""
