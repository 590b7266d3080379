"""Names as segments of S3 keys, to the letter as 0.6.0 wrote them."""

import hashlib
from string import ascii_letters, digits

_PLAIN = frozenset((ascii_letters + digits + "._-").encode())
# S3 takes keys of 1,024 bytes.
_LONGEST_SEGMENT, _DIGEST_LETTERS = 200, 16


def quote(name: str) -> str:
    """Make any database, table or index name one safe key segment.

    Every byte of its UTF-8 form outside `[A-Za-z0-9._-]` is percent-encoded, so plain names look
    as they did in 0.6.0 and distinct names never meet.
    """
    raw = name.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def normalise_path(path: str) -> str:
    """Take one leading and one trailing slash off, as 0.6.0 did with BACKEND_PATH."""
    return path.removeprefix("/").removesuffix("/")


def segment(name: str) -> str:
    """A name as one segment, shortened where keys would become longer than stores take."""
    segment = quote(name)
    if len(segment) <= _LONGEST_SEGMENT:
        return segment
    digest = hashlib.sha256(segment.encode()).hexdigest()[:_DIGEST_LETTERS]
    return f"{segment[: _LONGEST_SEGMENT - 1 - _DIGEST_LETTERS]}-{digest}"
