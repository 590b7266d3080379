"""Which backups a scheduled verification reads: one pure function of what there is.

Whatever the sample, every backup is read once in a while: those come first that were never read, or
whose last verdict is the oldest, and each run reads at least its share of all stored bytes. So of
backups that stay, all are read after as many runs as the share goes into the whole. One that cannot
be read takes its turn like one that was, and no other's: it does not count.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from dumpers.contract.verify.sample import Sample
from dumpers.repository.catalogue import Entry, State

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Backups in the order in which a run reads them, until that is enough.

    The first `besides` of them are read besides the share.
    """

    order: tuple[Entry, ...]
    besides: int
    sample: Sample | None

    def is_enough(self, read: Collection[str], unread: Collection[str]) -> bool:
        """Whether the share is reached; both are records, `unread` those that cannot be read."""
        if self.sample is None:
            return False
        weights = {entry.record: _weight(entry) for entry in self.order}
        left = sum(weight for record, weight in weights.items() if record not in unread)
        share = sum(_weight(entry) for entry in self.order[self.besides :] if entry.record in read)
        return share * self.sample.of >= left * self.sample.parts


def take_turns(
    entries: Collection[Entry],
    sample: Sample | None,
    *,
    tried: Mapping[str, datetime],
    now: datetime,
) -> Turns:
    """The order in which a run reads backups; one that is dated later than `now` has no turn yet.

    Without a sample the newest that can be restored. With one, the newest if it was never read, and
    besides at least one other backup where there is one, until the sample's share of the bytes of
    all that can be restored, or were found damaged, is reached. `tried` says by their records when
    backups last could not be read.
    """
    backups = sorted(_backups(entries, now), key=age, reverse=True)
    if sample is None:
        return Turns(order=tuple(backups[:1]), besides=0, sample=None)
    first = [item for item in backups[:1] if item.proof is None and item.record not in tried]

    def turn(entry: Entry) -> tuple[datetime, datetime, str]:
        proved = entry.proof.when if entry.proof else _NEVER
        # By a clock that is ahead, it may have been read long ago.
        met = [each for each in (proved, tried.get(entry.record, _NEVER)) if each <= now]
        return max(met, default=_NEVER), *age(entry)

    # A verdict may have been wrong, or what was lost be put back.
    damaged = [entry for entry in entries if _may_heal(entry) and entry.started <= now]
    others = sorted([*backups[len(first) :], *damaged], key=turn)
    return Turns(order=(*first, *others), besides=len(first), sample=sample)


def age(entry: Entry) -> tuple[datetime, str]:
    """The order of backups by their age, the oldest first."""
    return entry.started, entry.record


def is_found_damaged(entry: Entry) -> bool:
    """Whether a backup is damaged by a verdict."""
    proof = entry.proof
    return entry.state is State.DAMAGED and proof is not None and not proof.good


def newest_backup(entries: Iterable[Entry], now: datetime) -> Entry | None:
    """The newest backup that can be restored; None where there is none."""
    return max(_backups(entries, now), key=age, default=None)


def oldest_unread(entries: Iterable[Entry], now: datetime) -> Entry | None:
    """The oldest backup that can be restored and was never read; None where there is none."""
    unread = (entry for entry in _backups(entries, now) if entry.proof is None)
    return min(unread, key=age, default=None)


def newest_verified(entries: Iterable[Entry], now: datetime) -> Entry | None:
    """The newest backup that can be restored and was read; None where there is none."""
    read = (entry for entry in _backups(entries, now) if entry.proof is not None)
    return max(read, key=age, default=None)


def _backups(entries: Iterable[Entry], now: datetime) -> list[Entry]:
    return [entry for entry in entries if entry.is_restorable and entry.started <= now]


def _may_heal(entry: Entry) -> bool:
    """Whether a verification found it damaged, and its manifest says what to read."""
    return is_found_damaged(entry) and entry.objects > 0


def _weight(entry: Entry) -> int:
    """The bytes of a backup; one of none would never have its turn."""
    return max(entry.stored_bytes, 1)
