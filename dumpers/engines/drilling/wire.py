"""A connection to a throwaway server, on which a statement is spoken by the server's own protocol.

No client stands between, so nothing in a statement is a command of a client.
"""

import socket
from typing import Self

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.own_server import check_loopback
from dumpers.runtime.errors import TargetFailedError
from dumpers.runtime.interrupt import Interrupt

_CONNECT_SECONDS = 10.0
_BLOCK_BYTES = 1 << 16


class Wire:
    """A connection; a context manager: leaving it ends the connection.

    All of it raises TargetFailedError where the server is gone, and InterruptedRunError. There is
    neither TLS nor a password here: TargetRefusedError for a server that is not on loopback.
    """

    def __init__(self, server: Connection, interrupt: Interrupt) -> None:
        check_loopback(server)
        self._address = (server.host.strip("[]"), server.port)
        self._interrupt = interrupt
        self._held = bytearray()

    def __enter__(self) -> Self:
        try:
            self._socket = socket.create_connection(self._address, timeout=_CONNECT_SECONDS)
        except OSError as error:
            raise TargetFailedError(f"the throwaway server does not answer: {error}") from error
        self._socket.settimeout(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        left = memoryview(data)
        while left:
            self._interrupt.wait_writable(self._socket.fileno())
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _gone() from error

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        while len(self._held) < size:
            self._fill()
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    def skip(self, size: int) -> None:
        """Leave out the next `size` bytes, of which no more than a block is held at a time."""
        while size > 0:
            if not self._held:
                self._fill()
            left_out = min(size, len(self._held))
            del self._held[:left_out]
            size -= left_out

    def _fill(self) -> None:
        self._interrupt.wait_readable(self._socket.fileno())
        try:
            data = self._socket.recv(_BLOCK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise _gone() from error
        if not data:
            raise _gone()
        self._held += data


def _gone() -> TargetFailedError:
    return TargetFailedError("the throwaway server closed the connection")
