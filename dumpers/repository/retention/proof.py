"""What has been proved of a backup, in grades."""

from collections.abc import Iterable
from enum import IntEnum

from dumpers.repository.catalogue import Entry


class Grade(IntEnum):
    """How well a backup is proved; a higher grade includes the lower ones."""

    NONE = 0
    STORED = 1  # the store was asked for size and checksum of every object
    READ = 2  # every object was read, and was as it had been sent
    DRILLED = 3  # it was restored, and held what the dump held


def grade_of(entry: Entry) -> Grade:
    """The proof that the records of a backup themselves give.

    NONE for what is no good backup, also where its last verification found it damaged. NONE, too,
    where its last drill found something else than was dumped: a verification that came later only
    knows that the objects are as they were stored.
    """
    if not entry.is_restorable or has_failed(entry):
        return Grade.NONE
    if entry.drill is not None:
        return Grade.DRILLED
    if entry.proof is not None and entry.proof.good:
        return Grade.READ
    return Grade.STORED if entry.checked else Grade.NONE


def has_failed(entry: Entry) -> bool:
    """Whether the last drill of a backup found something else than was dumped."""
    return entry.drill is not None and not entry.drill.good


def read_proofs(entries: Iterable[Entry]) -> dict[str, Grade]:
    """The proofs of backups by the folders of their records."""
    return {entry.record: grade_of(entry) for entry in entries}
