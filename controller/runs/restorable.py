"""What can be restored of a workload and when it was last proven, by what its CronJob records.

Nothing here asks the store: it is as of the end of the run that said it. What somebody edited in an
annotation counts as not said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from dumpers.contract.names import READ_BACK
from dumpers.repository.keys import RunFolder

_LONGEST_ID = 64
_MOST = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Restorable:
    """When the oldest and the newest backup began, and how many there are, `as_of` a moment.

    All times are RFC 3339. `oldest` is empty and `backups` 0 where the keys of jobs may not list.
    """

    oldest: str
    newest: str
    backups: int
    as_of: str


class Grade(StrEnum):
    """How strong a proof is, in words that people read."""

    DRILLED = "drilled"  # it was restored, and compared with what was dumped
    VERIFIED = "verified"  # it was read from its first byte to its last


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProof:
    """The last time that a backup was drilled, or read to its end, and what was found.

    `backup` is its id.
    """

    when: str
    good: bool
    backup: str
    grade: Grade = Grade.VERIFIED

    @property
    def verdict(self) -> str:
        """One word for it: its grade, or what was found against the backup."""
        if self.good:
            return str(self.grade)
        return "DIFFERS" if self.grade is Grade.DRILLED else "DAMAGED"


def restorable_of(success: Mapping[str, Any], proof: Mapping[str, Any]) -> Restorable | None:
    """What can be restored, by the last success and the last proof; None without a success."""
    finished = _moment(success.get("finished"))
    if not finished:
        return None
    said = [
        (as_of, oldest, count)
        for record in (success, proof)
        # A proof keeps what an earlier one knew of this.
        if (as_of := _moment(record.get("as_of")) or _moment(record.get("finished")))
        and (oldest := _moment(record.get("oldest_backup")))
        and (count := _count(record.get("backups")))
    ]
    as_of, oldest, count = max(said, default=(finished, "", 0))
    begun = _folder(success)
    newest = f"{begun.started:%Y-%m-%dT%H:%M:%SZ}" if begun else finished
    return Restorable(oldest=oldest, newest=newest, backups=count, as_of=as_of)


def last_proof_of(success: Mapping[str, Any], proof: Mapping[str, Any]) -> LastProof | None:
    """The newest proof: a verification, or a dump that read back what it stored; None without."""
    found = []
    if when := _moment(proof.get("finished")):
        backup = str(proof.get("backup") or "")[:_LONGEST_ID]
        # Records that an older controller wrote are all of verifications.
        is_drill = proof.get("grade") == Grade.DRILLED
        found.append(
            LastProof(
                when=when,
                good=proof.get("good") is True,
                backup=backup,
                grade=Grade.DRILLED if is_drill else Grade.VERIFIED,
            )
        )
    if success.get("verified") == READ_BACK and (when := _moment(success.get("finished"))):
        begun = _folder(success)
        found.append(LastProof(when=when, good=True, backup=begun.id if begun else ""))
    return max(found, key=lambda item: item.when, default=None)


def folder_of(record: str) -> RunFolder | None:
    """The run whose records lie in a folder, by its key in the bucket; None if it is no such."""
    return RunFolder.parse(record.rstrip("/").rpartition("/")[2])


def _folder(success: Mapping[str, Any]) -> RunFolder | None:
    """The run of a recorded success; None where it is not told."""
    return folder_of(str(success.get("record") or ""))


def _moment(value: object) -> str:
    """A time in UTC to the second; empty for anything else."""
    try:
        moment = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return ""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment.tzinfo else ""


def _count(value: object) -> int:
    """A number of backups; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 < value < _MOST else 0
