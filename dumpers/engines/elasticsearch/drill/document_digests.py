"""Digests of the documents of each index, which add up in any order."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import xxhash

from dumpers.engines.elasticsearch.load.bulk import read_document

_MODULUS = 1 << 128
_LENGTH_BYTES = 8


@dataclass(slots=True)
class Digest:
    """The documents of one index: their number, and the sum of their digests of 128 bits."""

    count: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDigests:
    """Takes the lines of a dump; `name_of` leads from an index to what is compared with it."""

    name_of: Callable[[str], str]
    found: dict[str, Digest] = field(default_factory=dict)

    def add(self, lines: Iterable[bytes]) -> None:
        """Take lines, each with a document; ValueError for one that is none."""
        for line in lines:
            if not line.strip():
                continue
            # Neither score nor version is of the document, nor which index of a stream it lay in.
            document, source = read_document(line)
            name = self.name_of(document.index)
            digest = self.found.get(name)
            if digest is None:
                digest = self.found[name] = Digest()
            digest.count += 1
            digest.total = (
                digest.total + _of(bytes(document.id), bytes(document.routing), source)
            ) % _MODULUS


def _of(*parts: bytes) -> int:
    hashed = xxhash.xxh3_128()
    for part in parts:
        # So that no document can be another one whose parts end elsewhere.
        hashed.update(len(part).to_bytes(_LENGTH_BYTES, "big"))
        hashed.update(part)
    return hashed.intdigest()
