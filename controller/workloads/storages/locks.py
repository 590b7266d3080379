"""Whether a store's lock keeps backups for longer than the workload's policy asks to keep them."""

from controller.settings.storages.storage import Storage
from dumpers.repository.retention.duration import Duration
from dumpers.repository.retention.policy import UNLIMITED, Policy, Word, parse_policy

_YEAR, _MONTH, _WEEK = 366, 31, 7
# The longest that one backup of each kind stands for, in days.
_PERIODS = {
    Word.DAILY: 1,
    Word.WEEKLY: _WEEK,
    Word.MONTHLY: _MONTH,
    Word.YEARLY: _YEAR,
}


def days_kept(policy: Policy | None) -> int | None:
    """The most days for which a policy keeps a backup; None where it is not known, or for ever.

    It is not known of keep-last and keep-hourly, whose backups may be of any age: a database that
    was dumped by hand, once, is kept by them for good.
    """
    if policy is None or {Word.LAST, Word.HOURLY} & policy.counts.keys():
        return None
    if UNLIMITED in policy.counts.values():
        return None
    counted = (_PERIODS[word] * count for word, count in policy.counts.items())
    return max((*counted, *map(_days, policy.ages.values())))


def lock_note(storage: Storage, retention: str) -> str:
    """Say that a storage's lock outlives a policy; empty where it does not, or nobody can say."""
    lock, kept = storage.object_lock, days_kept(parse_policy(retention))
    if lock is None or kept is None or lock.days <= kept:
        return ""
    return (
        f"its object lock of {lock.days} days is longer than {retention} keeps a backup, {kept} "
        "days at most: prune cannot delete it before the lock ends"
    )


def _days(age: Duration) -> int:
    """The days of an age, the started one included."""
    return age.years * _YEAR + age.months * _MONTH + age.days + -(-age.hours // 24)
