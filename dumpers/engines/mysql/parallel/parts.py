"""The objects of a database that was dumped by several streams, as the one dump that they are."""

from collections.abc import Sequence

from dumpers.engines.mysql.parallel.plan import Share, from_metadata
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError

TABLES, ROWS, TRIGGERS, PROGRAMS = "tables", "rows", "triggers", "programs"
_PLACES = {TABLES: 1, ROWS: 2, TRIGGERS: 3, PROGRAMS: 4}
# In the metadata: what kind of part an object is, and how many there are.
SECTION, COUNT = "section", "parts"


def part_name(section: str, number: int = 0) -> str:
    """The name of a part; names sort in the order of a load."""
    numbered = f"-{number:04}" if section == ROWS else ""
    return f"{_PLACES[section]}-{section}{numbered}"


def is_part(piece: StoredDump) -> bool:
    """Whether an object is one of several of its database that no table has for itself."""
    return bool(piece.part) and SECTION in piece.metadata


def in_order(pieces: Sequence[StoredDump]) -> tuple[StoredDump, ...]:
    """The pieces of one database as they load; TargetRefusedError where a part is not there."""
    if not any(is_part(piece) for piece in pieces):
        return tuple(pieces)
    ordered = tuple(sorted(pieces, key=lambda piece: piece.part))
    first = ordered[0]
    wanted = first.metadata.get(COUNT)
    if first.metadata.get(SECTION) != TABLES or wanted != len(ordered):
        raise TargetRefusedError(
            f"the backup of {first.name!r} is in {wanted or 'several'} objects, and not all of "
            f"them are there: {', '.join('/'.join(piece.part) for piece in ordered)}"
        )
    return ordered


def shares_of(pieces: Sequence[StoredDump]) -> dict[str, tuple[Share, ...]]:
    """How the databases that are in several such objects were dealt out, by their names."""
    found: dict[str, list[StoredDump]] = {}
    for piece in pieces:
        if is_part(piece):
            found.setdefault(piece.name, []).append(piece)
    return {
        name: tuple(
            from_metadata(piece.metadata)
            for piece in sorted(own, key=lambda piece: piece.part)
            if piece.metadata[SECTION] == ROWS
        )
        for name, own in found.items()
    }
