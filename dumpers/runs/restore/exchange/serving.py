"""The reader's side of the exchange: it listens, serves pieces, and waits for the verdict."""

import contextlib
import json
import logging
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from dumpers.runs.restore.exchange.channel import BrokenExchangeError, Channel, Kind
from dumpers.runs.restore.exchange.messages import (
    Fetch,
    Hello,
    Message,
    Stop,
    Verdict,
    decode,
    encode,
    make_trouble,
)
from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    TargetFailedError,
    describe_failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.streams.reader import Reader

_LOG = logging.getLogger(__name__)

SOCKET, ENDED = "socket", "ended.json"
_BACKLOG = 64
_BLOCK_BYTES = 1 << 18
_LAST_WORDS_SECONDS = 3.0

OpenPiece = Callable[[int], AbstractContextManager[Reader]]


@dataclass(slots=True)
class Served:
    """What was served so far; threads share it.

    `begun` and `whole` are the places of pieces that were fetched, and fetched to their proven end.
    `under_way` are those that are being sent, each with its connection.
    """

    bytes_sent: int = 0
    begun: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    under_way: dict[Channel, int] = field(default_factory=dict)


class Listener:
    """The socket in the shared folder. A context manager: left with an error, the client is told.

    Connections are taken by a thread each.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._scope = Interrupt(work="restore")
        self._open_piece: OpenPiece | None = None
        self._clients: queue.Queue[tuple[Channel, Message]] = queue.Queue()
        self._client: Channel | None = None
        self.served = Served()

    def __enter__(self) -> Self:
        path = self._folder / SOCKET
        try:
            path.unlink(missing_ok=True)
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            raise TargetFailedError(
                f"cannot listen at {path}: {error}: the folder must be a volume that both "
                "containers of the restore mount and may write"
            ) from error
        self._socket.listen(_BACKLOG)
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error:
            self.dismiss(error)
        self._scope.cancel("the end of the restore")
        if self._client:
            self._client.close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def dismiss(self, error: BaseException) -> None:
        """Tell the client why nothing is done with it, or nothing more."""
        failure = describe_failure(error)
        stop = Stop(exit_code=failure.exit_code, reason=failure.reason, message=failure.message)
        # For a client that is not there yet.
        with contextlib.suppress(OSError):
            words = {"reason": failure.reason, "message": failure.message}
            (self._folder / ENDED).write_text(json.dumps(words))
        if self._client:
            with contextlib.suppress(KsnapshotError):
                last = Interrupt(_LAST_WORDS_SECONDS, work="last message", is_part=True)
                self._client.send(Kind.MESSAGE, encode(stop), last)

    def wait_for_client(self, interrupt: Interrupt, *, seconds: float) -> tuple[Channel, Message]:
        """The client's connection and its first words: Hello, or the Verdict that it cannot begin.

        TargetFailedError where it does not come in time.
        """
        try:
            self._client, message = interrupt.get(self._clients, seconds=seconds)
        except queue.Empty as error:
            raise TargetFailedError(
                f"the container that loads the backup did not come within {seconds:.0f} s: its "
                "image may not be there, or it failed at once: see its state and its log"
            ) from error
        return self._client, message

    def serve(self, open_piece: OpenPiece) -> None:
        """From now on serve the pieces, by their place in the offer."""
        self._open_piece = open_piece

    def is_stalled_by_client(self) -> bool:
        """Whether every piece that is under way waits for the client to take bytes."""
        sending = [channel.is_sending for channel in list(self.served.under_way)]
        return all(sending)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            channel = Channel(connection)
            threading.Thread(
                target=self._attend, args=(channel,), name="exchange", daemon=True
            ).start()

    def _attend(self, channel: Channel) -> None:
        """Do what a connection asks for by its first words."""
        try:
            _, body = channel.receive(self._scope)
            message = decode(body)
            if isinstance(message, Fetch):
                with channel:
                    self._send_piece(channel, message.piece)
            elif isinstance(message, Hello | Verdict) and self._client is None:
                self._clients.put((channel, message))
            else:
                channel.close()
        except (KsnapshotError, ValueError) as error:
            channel.close()
            if not self._scope.is_cancelled:
                _LOG.debug("a connection broke", extra=fields(why=str(error)))

    def _send_piece(self, channel: Channel, place: int) -> None:
        if self._open_piece is None:
            return
        served = self.served
        served.begun.add(place)
        served.under_way[channel] = place
        try:
            self._stream(channel, place, self._open_piece)
            served.whole.add(place)
        except BrokenExchangeError:
            # The client has left the piece, or has ended, which its main connection tells.
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the client must not see an end
            if isinstance(error, InterruptedRunError) and self._scope.is_cancelled:
                return
            failure = describe_failure(error)
            _LOG.error(
                "a piece cannot be read", extra=fields(reason=failure.reason, error=failure.message)
            )
            channel.send(Kind.ERROR, encode(make_trouble(failure)), self._scope)
        finally:
            del served.under_way[channel]

    def _stream(self, channel: Channel, place: int, open_piece: OpenPiece) -> None:
        count = 0
        with open_piece(place) as reader:
            while block := reader.read(_BLOCK_BYTES):
                channel.send(Kind.DATA, block, self._scope)
                count += len(block)
                self.served.bytes_sent += len(block)
        channel.send(Kind.END, str(count).encode(), self._scope)
