"""The objects of a database that was dumped by several streams, as the one dump that they are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from dumpers.engines.postgresql.options import PLAIN_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

PRE_DATA, DATA, POST_DATA = "pre-data", "data", "post-data"
_PLACES = {PRE_DATA: 1, DATA: 2, POST_DATA: 3}


def part_name(section: str, number: int = 0) -> str:
    """The name of a part; names sort in the order of a load."""
    numbered = f"-{number:04}" if section == DATA else ""
    return f"{_PLACES[section]}-{section}{numbered}"


def is_part(piece: StoredDump) -> bool:
    """Whether an object is one of several of its database."""
    return bool(piece.part) and piece.ending == PLAIN_ENDING


def parts_of(pieces: Sequence[StoredDump]) -> Mapping[str, Sequence[StoredDump]]:
    """The parts of each database that is in several, by its name, in the order of a load."""
    found: dict[str, list[StoredDump]] = {}
    for piece in pieces:
        if is_part(piece):
            found.setdefault(piece.name, []).append(piece)
    return {name: sorted(parts, key=lambda piece: piece.part) for name, parts in found.items()}


def join_parts(pieces: Sequence[StoredDump]) -> list[StoredDump]:
    """The pieces with all parts of a database as one, which reads them one after the other.

    Its metadata is the first part's. Raises TargetRefusedError where a part is not there.
    """
    joined = {name: _joined(parts) for name, parts in parts_of(pieces).items()}
    # Each in the place of its first part.
    others = [piece if not is_part(piece) else joined.pop(piece.name, None) for piece in pieces]
    return [piece for piece in others if piece is not None]


def _joined(parts: Sequence[StoredDump]) -> StoredDump:
    first = parts[0]
    wanted = first.metadata.get("parts")
    if first.metadata.get("section") != PRE_DATA or wanted != len(parts):
        raise TargetRefusedError(
            f"the backup of {first.name!r} is in {wanted or 'several'} objects, and not all of "
            f"them are there: {', '.join('/'.join(piece.part) for piece in parts)}"
        )

    @contextmanager
    def opened() -> Iterator[Reader]:
        with ExitStack() as current:
            yield _Chain(parts, current)

    return replace(first, part=(), size=sum(piece.size for piece in parts), open=opened)


class _Chain(BufferedReader):
    """The parts one after the other, each to its proven end before the next is opened."""

    def __init__(self, parts: Sequence[StoredDump], current: ExitStack) -> None:
        super().__init__()
        self._left = list(parts)
        self._current = current
        self._reader: Reader | None = None

    def next_block(self) -> bytes:
        """Return the next block; what the parts' readers raise propagates."""
        while True:
            if self._reader is not None and (data := self._reader.read(BLOCK_BYTES)):
                return data
            self._current.close()
            if not self._left:
                return b""
            self._reader = self._current.enter_context(self._left.pop(0).open())
