"""Bytes as lines of a job's log, and back: a log holds text, and nothing says that all of it comes.

Pure. What is sealed is somebody else's affair: these are bytes.
"""

import binascii
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

# Runtimes cut lines of a log at 16 KiB.
_LINE = 9_000
# What a message may unpack to: the offer of a hundred thousand objects is far below it.
_LARGEST = 256 << 20
_MEMBER = "sealed"


def pack(text: str) -> bytes:
    """A text, compressed: to be sealed."""
    return zlib.compress(text.encode())


def unpack(packed: bytes) -> str:
    """The text again; ValueError where the bytes are none of `pack`."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, _LARGEST)
    except zlib.error as error:
        raise ValueError("it cannot be unpacked") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is cut, or larger than any message of ours")
    return text.decode()


def to_lines(sealed: bytes) -> Iterator[str]:
    """The lines, each of which says which one it is and of how many."""
    pieces = [sealed[start : start + _LINE] for start in range(0, len(sealed), _LINE)] or [b""]
    for number, piece in enumerate(pieces):
        text = binascii.b2a_base64(piece, newline=False).decode()
        yield json.dumps({_MEMBER: number, "of": len(pieces), "text": text}, separators=(",", ":"))


@dataclass(slots=True)
class Lines:
    """Puts the lines of one message together, in whatever order and among whatever others."""

    _pieces: dict[int, bytes] = field(default_factory=dict)
    _count: int | None = None

    def add(self, line: str) -> None:
        """Take a line of the log; any other than ours is left out."""
        if not line.startswith('{"' + _MEMBER):
            return
        try:
            document = json.loads(line)
            number, count, text = int(document[_MEMBER]), int(document["of"]), document["text"]
            piece = binascii.a2b_base64(text, strict_mode=True)
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        self._count = count
        self._pieces[number] = piece

    @property
    def message(self) -> bytes | None:
        """The bytes; None while lines are missing."""
        if self._count is None or set(self._pieces) != set(range(self._count)):
            return None
        return b"".join(self._pieces[number] for number in range(self._count))
