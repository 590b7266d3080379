"""Frames over a socket between the two containers of a restore.

A frame is one byte of kind, four bytes of length (big-endian), and the payload. A stream that ends
between or within frames has broken: an end that is meant is a frame of its own.
"""

import contextlib
import socket
from collections import deque
from enum import IntEnum
from typing import Self

from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt

_HEADER_BYTES = 5
# A message holds a manifest's objects at most, a piece's bytes come in small frames.
_LONGEST = {1: 1 << 28, 2: 1 << 22, 3: 1 << 10, 4: 1 << 20}
_RECEIVE_BYTES = 1 << 18


class Kind(IntEnum):
    """What a frame holds."""

    MESSAGE = 1  # JSON
    DATA = 2  # bytes of a piece
    END = 3  # the proven end of a piece: how many bytes it had, in decimal digits
    ERROR = 4  # JSON: why a piece has no proven end


class BrokenExchangeError(TargetFailedError):
    """The other side is gone, or does not speak as it has to."""


class Channel:
    """One connection; a context manager. Calls wait through their interrupt."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(0)
        self._left = 0
        # What has come, or has to go, of a frame at which a call was interrupted: the next goes on.
        self._unsent: deque[memoryview] = deque()
        self._header = b""
        self._frame: tuple[Kind, int, bytearray] | None = None
        self.is_sending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the other side, and whoever waits here, sees its end at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, kind: Kind, payload: bytes | memoryview, interrupt: Interrupt) -> None:
        """Send a frame; BrokenExchangeError where the other side is gone.

        The rest of one at which an earlier call was interrupted goes before it.
        """
        header = bytes((kind,)) + len(payload).to_bytes(_HEADER_BYTES - 1, "big")
        self.is_sending = True
        try:
            self._unsent += (memoryview(header), memoryview(payload))
            while self._unsent:
                left = self._unsent[0]
                try:
                    self._unsent[0] = left[self._socket.send(left) :] if left else left
                except BlockingIOError:
                    interrupt.wait_writable(self._descriptor())
                if not self._unsent[0]:
                    self._unsent.popleft()
        except OSError as error:
            raise BrokenExchangeError("the other container has ended the connection") from error
        finally:
            self.is_sending = False

    def receive(self, interrupt: Interrupt) -> tuple[Kind, bytes]:
        """Receive a frame; BrokenExchangeError where none comes any more, or it is none.

        After an interrupt the next call goes on within the same frame.
        """
        if self._frame is None:
            self._frame = (*self.begin(interrupt), bytearray())
        kind, length, payload = self._frame
        while len(payload) < length:
            payload += self.receive_some(interrupt)
        self._frame = None
        return kind, bytes(payload)

    def begin(self, interrupt: Interrupt) -> tuple[Kind, int]:
        """Receive the head of a frame: its kind, and the length of the payload that follows."""
        while len(self._header) < _HEADER_BYTES:
            self._left = _HEADER_BYTES - len(self._header)
            self._header += self.receive_some(interrupt)
        header, self._header = self._header, b""
        length = int.from_bytes(header[1:], "big")
        if length > _LONGEST.get(header[0], -1):
            raise BrokenExchangeError("the other container sends what is no frame")
        self._left = length
        return Kind(header[0]), length

    def receive_some(self, interrupt: Interrupt) -> bytes:
        """Receive the next bytes of the payload, at least one."""
        wanted = min(self._left, _RECEIVE_BYTES)
        while True:
            try:
                data = self._socket.recv(wanted)
                break
            except BlockingIOError:
                interrupt.wait_readable(self._descriptor())
            except OSError as error:
                raise BrokenExchangeError("the connection to the other container broke") from error
        if not data:
            raise BrokenExchangeError("the other container has ended, or ended the connection")
        self._left -= len(data)
        return data

    def _descriptor(self) -> int:
        number = self._socket.fileno()
        if number < 0:
            raise BrokenExchangeError("the connection was ended")
        return number
