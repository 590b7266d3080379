"""Comparing the rows of a table that was dumped in pieces with those of a restored server; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import xxhash

from dumpers.contract.fingerprint import TableDigest
from dumpers.engines.drilling.protocol import TableVerdict
from dumpers.streams.fingerprint import PLACE

# Between the head and the first row, and behind the last one, as in a dump.
_FIRST, _LAST = b"\n", b"\\.\n"


@dataclass(kw_only=True)
class PieceDigests:
    """The digests of a table's rows as COPY gives them, cut where the pieces of a dump ended.

    `head` is the statement that stands before the rows of each piece, `counts` are its rows. What
    comes behind the last one belongs to it.
    """

    head: bytes
    counts: Sequence[int]
    _found: list[TableDigest] = field(default_factory=list)
    _rows: int = 0
    _digest: xxhash.xxh3_128 = field(init=False)

    def __post_init__(self) -> None:
        self._digest = self._begun()

    def update(self, block: bytes) -> None:
        """Take the next block of rows, of any size."""
        view, at = memoryview(block), 0
        while at < len(block):
            while self._is_full():
                self._end_piece()
            end, rows = self._cut(block, at)
            self._digest.update(view[at:end])
            self._rows += rows
            at = end

    def end(self) -> list[TableDigest]:
        """Return a digest for each piece; called once, after the last block."""
        while len(self._found) < len(self.counts):
            self._end_piece()
        return self._found

    def _is_full(self) -> bool:
        number = len(self._found)
        return number + 1 < len(self.counts) and self._rows == self.counts[number]

    def _cut(self, block: bytes, at: int) -> tuple[int, int]:
        """Where the piece ends in a block, or the block, and how many rows end before."""
        number = len(self._found)
        rows = block.count(b"\n", at)
        if number + 1 == len(self.counts):
            return len(block), rows
        left = self.counts[number] - self._rows
        if rows < left:
            return len(block), rows
        for _ in range(left):
            at = block.index(b"\n", at) + 1
        return at, left

    def _end_piece(self) -> None:
        self._digest.update(_LAST)
        self._found.append(TableDigest(digest=self._digest.hexdigest(), rows=self._rows))
        self._rows, self._digest = 0, self._begun()

    def _begun(self) -> xxhash.xxh3_128:
        return xxhash.xxh3_128(PLACE + self.head + _FIRST)


def judge_pieces(
    name: str, dumped: Sequence[TableDigest], found: Sequence[TableDigest]
) -> TableVerdict:
    """The verdict on a table by all of its pieces, in the order of a load."""
    rows = sum(piece.rows or 0 for piece in found)
    if [piece.digest for piece in found] == [piece.digest for piece in dumped]:
        return TableVerdict(name=name, rows=rows, good=True)
    before = sum(piece.rows or 0 for piece in dumped)
    why = "its rows differ" if rows == before else f"it has {rows} rows instead of {before}"
    return TableVerdict(name=name, rows=rows, good=False, why=why)
