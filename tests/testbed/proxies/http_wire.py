"""HTTP/1.1 as it goes over the wire: heads, and bodies with their framing, byte by byte."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Framing = int | Literal["chunked", "to the end"]
_NO_BODY = {204, 304}
_MAX_HEAD = 256 * 1024
_READ = 64 * 1024


class BrokenError(ConnectionError):
    """The other side went away in the middle, or does not speak HTTP."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's or an answer's first lines, with the empty one."""

    raw: bytes

    @property
    def first(self) -> str:
        return self.raw.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def header(self, name: str) -> str:
        """The value in lower case, empty when there is none."""
        for line in self.raw.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                return value.strip().decode("latin-1").lower()
        return ""

    def with_length(self, length: int) -> "Head":
        """The same head, announcing another body length."""
        lines = [
            line
            for line in self.raw.split(b"\r\n")
            if not line.lower().startswith((b"content-length:", b"transfer-encoding:"))
        ]
        return Head(b"\r\n".join([*lines[:1], b"Content-Length: %d" % length, *lines[1:]]))

    def request_framing(self) -> Framing:
        if "chunked" in self.header("transfer-encoding"):
            return "chunked"
        return int(self.header("content-length") or 0)

    def answer_framing(self, method: str) -> Framing:
        if method == "HEAD" or self.status in _NO_BODY:
            return 0
        if "chunked" in self.header("transfer-encoding"):
            return "chunked"
        length = self.header("content-length")
        return int(length) if length else "to the end"


class Wire:
    """A connection with a read buffer; one thread may read while another writes."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = b""
        # One TLS session must not be read and written at the same time, so neither may block in it.
        self._tls = threading.Lock() if isinstance(connection, ssl.SSLSocket) else None
        if self._tls:
            connection.settimeout(0)

    def send(self, data: bytes) -> None:
        if self._tls is None:
            self.socket.sendall(data)
            return
        view = memoryview(data)
        while view:
            try:
                with self._tls:
                    view = view[self.socket.send(view) :]
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                select.select([], [self.socket], [], 1)

    def receive(self, size: int = _READ) -> bytes:
        """Some bytes, at most `size`; none at the end."""
        if self._buffer:
            block, self._buffer = self._buffer[:size], self._buffer[size:]
            return block
        while self._tls is not None:
            try:
                with self._tls:
                    return self.socket.recv(size)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                select.select([self.socket], [], [])
            except ssl.SSLEOFError:
                return b""
        return self.socket.recv(size)

    def ended(self) -> bool:
        """Whether an idle connection was closed by the other side."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def head(self) -> Head | None:
        """The next head; None where the connection ends before it begins."""
        data = b""
        while b"\r\n\r\n" not in data:
            block = self.receive()
            if not block and not data:
                return None
            if not block or len(data) > _MAX_HEAD:
                raise BrokenError("ended within a head")
            data += block
        raw, self._buffer = data[: (end := data.index(b"\r\n\r\n") + 4)], data[end:] + self._buffer
        return Head(raw)

    def body(self, framing: Framing, stride: int = _READ) -> Iterator[tuple[bytes, bytes]]:
        """The body in blocks as they come: what goes over the wire, and the content in it."""
        if isinstance(framing, int):
            for block in self._exactly(framing, stride):
                yield block, block
        elif framing == "to the end":
            while block := self.receive(stride):
                yield block, block
        else:
            yield from self._chunks(stride)

    def _chunks(self, stride: int) -> Iterator[tuple[bytes, bytes]]:
        while True:
            line = self._line()
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            yield line, b""
            for block in self._exactly(size, stride):
                yield block, block
            yield self._line(), b""
        while True:
            # The last chunk's line, any trailers, the empty line.
            yield line, b""
            if line == b"\r\n":
                return
            line = self._line()

    def _exactly(self, size: int, stride: int) -> Iterator[bytes]:
        while size:
            block = self.receive(min(size, stride))
            if not block:
                raise BrokenError(f"ended {size} bytes before the end of a body")
            size -= len(block)
            yield block

    def _line(self) -> bytes:
        data = b""
        while b"\n" not in data:
            block = self.receive()
            if not block:
                raise BrokenError("ended within a chunk's frame")
            data += block
        end = data.index(b"\n") + 1
        self._buffer = data[end:] + self._buffer
        return data[:end]


def tunnel(client: Wire, upstream: Wire) -> None:
    """Another protocol from here on: bytes both ways until one side ends."""

    def pump(source: Wire, sink: Wire) -> None:
        # ValueError: the socket was closed by another thread.
        with contextlib.suppress(OSError, ValueError):
            while block := source.receive():
                sink.send(block)
        for wire in (source, sink):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(wire.socket, socket.SHUT_RDWR)

    back = threading.Thread(target=pump, args=(upstream, client), daemon=True)
    back.start()
    pump(client, upstream)
    back.join()
