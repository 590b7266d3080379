"""Whether what is lost with a backup is in a newer one, as far as records can tell."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from dumpers.repository.catalogue import Entry

# A newer backup of less than half the size lacks something, unless somebody found that right.
_SHARE = 0.5


class Gap(Enum):
    """Why no newer backup covers one."""

    UNPROVED = auto()  # none of them is proved
    SHRUNK = auto()  # those that are proved are shrunk, or less than half its size
    NOTES = auto()  # those that are proved lack, by their notes, what it has


@dataclass(slots=True, kw_only=True)
class Coverage:
    """The proved backups that were met so far, going from the newest to the oldest.

    `accepted` is until when the sizes of backups were found right, None for never.
    """

    accepted: datetime | None
    _largest: dict[frozenset[str], Entry] = field(default_factory=dict)
    _has_shrunk: bool = False

    def add(self, entry: Entry, *, is_shrunk: bool) -> None:
        """Let a proved backup cover those that come after it; a shrunk one covers nothing."""
        if is_shrunk:
            self._has_shrunk = True
            return
        notes = frozenset(entry.notes)
        known = self._largest.get(notes)
        if known is None or entry.source_bytes > known.source_bytes:
            self._largest[notes] = entry

    def find(self, entry: Entry) -> Entry | Gap:
        """A newer backup that covers this one, or why there is none."""
        notes = frozenset(entry.notes)
        lacking_nothing = [item for codes, item in self._largest.items() if codes <= notes]
        if lacking_nothing:
            largest = max(lacking_nothing, key=lambda item: item.source_bytes)
            is_enough = largest.source_bytes >= _SHARE * entry.source_bytes
            return largest if is_enough or is_accepted(entry, self.accepted) else Gap.SHRUNK
        if self._largest:
            return Gap.NOTES
        return Gap.SHRUNK if self._has_shrunk else Gap.UNPROVED


def is_accepted(entry: Entry, accepted: datetime | None) -> bool:
    """Whether somebody found the size of a backup right."""
    return accepted is not None and (entry.finished or entry.started) <= accepted
