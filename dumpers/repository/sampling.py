"""Which backups a scheduled verification reads: one pure function of what there is.

Whatever the sample, every backup is read once in a while: those come first that were never read, or
whose last verdict is the oldest, and each run reads at least its share of all stored bytes. So of
backups that stay, all are read after as many runs as the share goes into the whole.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from dumpers.contract.verify.sample import Sample
from dumpers.repository.catalogue import Entry

_NEVER = datetime.min.replace(tzinfo=UTC)


def choose_sample(entries: Iterable[Entry], sample: Sample | None) -> tuple[Entry, ...]:
    """The backups that a run reads, in the order in which it reads them.

    Without a sample the newest that can be restored. With one, the newest if it was never read, and
    besides at least one other backup where there is one, until the sample's share of the bytes of
    all that can be restored is reached.
    """
    backups = sorted(filter(_is_backup, entries), key=_age, reverse=True)
    if sample is None or not backups:
        return tuple(backups[:1])
    total = sum(map(_weight, backups))
    chosen = [backup for backup in backups[:1] if backup.proof is None]
    left = total * sample.parts
    for backup in sorted(backups[len(chosen) :], key=_turn):
        if left <= 0:
            break
        chosen.append(backup)
        left -= _weight(backup) * sample.of
    return tuple(chosen)


def oldest_unread(entries: Iterable[Entry]) -> Entry | None:
    """The oldest backup that can be restored and was never read; None where there is none."""
    unread = (entry for entry in entries if _is_backup(entry) and entry.proof is None)
    return min(unread, key=_age, default=None)


def newest_verified(entries: Iterable[Entry]) -> Entry | None:
    """The newest backup that can be restored and was read; None where there is none."""
    read = (entry for entry in entries if _is_backup(entry) and entry.proof is not None)
    return max(read, key=_age, default=None)


def _is_backup(entry: Entry) -> bool:
    return entry.is_restorable


def _age(entry: Entry) -> tuple[datetime, str]:
    return entry.started, entry.record


def _turn(entry: Entry) -> tuple[datetime, datetime, str]:
    return entry.proof.when if entry.proof else _NEVER, *_age(entry)


def _weight(entry: Entry) -> int:
    """The bytes of a backup; one of none would never have its turn."""
    return max(entry.stored_bytes, 1)
