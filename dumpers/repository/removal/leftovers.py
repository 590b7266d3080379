"""What stays in a bucket although its backup is gone, or was to go."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_SHOWN = 20
OLD_VERSIONS = "the bucket keeps old versions"
UNPROVEN = "nothing in the store says which run it is of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An object, or the folder of a whole backup, that stays; `until` is empty where that is open.

    `until` is RFC 3339, or words for a lock without an end.
    """

    key: str
    why: str
    until: str = ""

    def to_document(self) -> dict[str, str]:
        """The leftover as prune prints it."""
        return {"key": self.key, "until": self.until, "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class Burial:
    """What became of one backup; with `is_done` false all of it is kept. `freed` is in bytes."""

    is_done: bool
    freed: int
    left: tuple[Leftover, ...] = ()


@dataclass(slots=True)
class Leftovers:
    """Counts leftovers, of which the first are remembered."""

    count: int = 0
    first: list[Leftover] = field(default_factory=list)

    def add(self, left: Iterable[Leftover]) -> None:
        """Count these, too."""
        for item in left:
            self.count += 1
            if len(self.first) < _SHOWN:
                self.first.append(item)
