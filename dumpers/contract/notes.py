"""What a backup lacks, alters, or took from a second place, as stable codes with words for people.

A dump with notes is whole but for what they name. A code never changes its meaning, so that
status, metrics and alerts can go by it, and the annotation `accept` can name those that are fine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

# Objects that a text shows; a manifest holds all of them.
_SHOWN = 20
# Stands beside the codes in the annotation `accept`: the size of the backups is right, however
# small they became.
SHRUNK = "shrunk"


class NoteCode(StrEnum):
    """The kinds of notes, each with what it stands for."""

    # Not in the backup, as no dump tool takes it.
    FOREIGN_TABLES = "foreign-tables"  # rows that another system holds
    UNLOGGED_TABLES = "unlogged-tables"  # rows that a standby does not have
    NOT_DUMPED = "not-dumped"  # other objects or rows that the tool leaves out by its own rules
    SECRETS_HIDDEN = "secrets-hidden"  # passwords that the server does not show
    GLOBALS = "globals"  # roles, accounts or settings of the whole server
    # Not in the backup, as it could not be read.
    UNREADABLE = "unreadable"  # what nobody named, and this login may not or cannot read
    BROKEN_VIEWS = "broken-views"  # views that the server itself cannot evaluate
    NO_ANSWER = "no-answer"  # a server that was not asked for, and is silent
    # Not in the backup, as the annotations chose other things.
    NOT_CHOSEN = "not-chosen"  # what the chosen objects need, or what a pattern left out
    LARGE_OBJECTS = "large-objects"
    EXTENSIONS = "extensions"
    NOTHING_MATCHED = "nothing-matched"  # a pattern that fits nothing
    # In the backup, and perhaps not as people expect it.
    STANDBY = "standby"  # read from a replica: as old as its lag
    ROW_SECURITY = "row-security"  # rows, documents or fields that a policy hides
    ALTERED = "altered"  # values that are not byte for byte what was written
    NOT_CONSISTENT = "not-consistent"  # parts that are not of one moment
    DRIFT = "drift"  # servers that should be equal and differ
    RESTORE_NEEDS = "restore-needs"  # what a restore has to do, or will compute anew
    ONE_STREAM = "one-stream"  # read by one stream, where several were asked for
    TOOL_WARNING = "tool-warning"  # the dump tool's own words while it succeeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note: its code, a sentence, and the full names of the objects that it is about, if any.

    The sentence ends without a full stop and does not repeat the names.
    """

    code: NoteCode
    text: str
    objects: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The note for a person; of many objects the first, and how many more there are."""
        shown = ", ".join(self.objects[:_SHOWN])
        more = len(self.objects) - _SHOWN
        listed = f"{shown} and {more} more" if more > 0 else shown
        return f"{self.text}: {listed}" if listed else self.text


def parse_codes(text: str) -> frozenset[str]:
    """The codes in a comma-separated list, and SHRUNK if it is there.

    ValueError names the first that is neither.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = (*map(str, NoteCode), SHRUNK)
    for name in names:
        if name not in known:
            raise ValueError(f"{name[:40]!r} is no code of a note: {', '.join(known)}")
    return frozenset(names)


class JudgedNote(Protocol):
    """A note of a backup whose workload accepts its code, or does not."""

    @property
    def code(self) -> str:
        """What it stands for."""
        ...

    @property
    def accepted(self) -> bool:
        """Whether the workload's annotations said that it is fine."""
        ...


def codes_of(notes: Iterable[JudgedNote], *, accepted: bool = False) -> tuple[str, ...]:
    """The codes of the notes that are not accepted, or of those that are, each once, in order."""
    return tuple(sorted({str(note.code) for note in notes if note.accepted is accepted}))
