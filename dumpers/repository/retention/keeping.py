"""Which backups a policy keeps: restic's rules, by the times of the backups alone."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from dumpers.repository.retention.policy import UNLIMITED, Policy, Word

# The period that a local time lies in; the number is that of the backup, newest first.
_Period = Callable[[datetime, int], Hashable]


@dataclass(slots=True)
class _Rule:
    """One word of a policy, going through the backups from the newest to the oldest.

    `since` is None for a word with a number, of which `left` backups may still be kept.
    """

    word: Word
    period: _Period
    left: int = UNLIMITED
    since: datetime | None = None
    last: Hashable = None

    def keeps(self, moment: datetime, local: datetime, number: int, *, is_oldest: bool) -> bool:
        if self.left == 0 or (self.since is not None and moment <= self.since):
            return False
        period = self.period(local, number)
        # The oldest backup is kept, too, as long as the word has not kept what it may: so the
        # backups reach back as far as they can.
        if period == self.last and not is_oldest:
            return False
        self.last = period
        if self.left > 0:
            self.left -= 1
        return True


def kept_by(policy: Policy, moments: Sequence[datetime], zone: tzinfo) -> list[tuple[Word, ...]]:
    """The words that keep each of the backups; none for those that the policy wants gone.

    `moments` are when the backups began, newest first, none of them in the future. Hours, days,
    weeks (ISO 8601), months and years are those of the zone. Ages count from the newest backup, and
    not from now, so that a workload that makes no more backups loses none.
    """
    if not moments:
        return []
    rules = [
        *(_Rule(word, _PERIODS[word], left=count) for word, count in policy.counts.items()),
        *(
            _Rule(word, _PERIODS[word], since=age.before(moments[0], zone))
            for word, age in policy.ages.items()
        ),
    ]
    rules.sort(key=lambda rule: _ORDER[rule.word])
    oldest = len(moments) - 1
    found = []
    for number, moment in enumerate(moments):
        local = moment.astimezone(zone)
        found.append(
            tuple(
                rule.word
                for rule in rules
                if rule.keeps(moment, local, number, is_oldest=number == oldest)
            )
        )
    return found


def _each(_: datetime, number: int) -> Hashable:
    return number


def _hour(local: datetime, _: int) -> Hashable:
    return local.year, local.month, local.day, local.hour


def _day(local: datetime, _: int) -> Hashable:
    return local.date()


def _week(local: datetime, _: int) -> Hashable:
    return local.isocalendar()[:2]


def _month(local: datetime, _: int) -> Hashable:
    return local.year, local.month


def _year(local: datetime, _: int) -> Hashable:
    return local.year


_PERIODS: dict[Word, _Period] = {
    Word.LAST: _each,
    Word.HOURLY: _hour,
    Word.DAILY: _day,
    Word.WEEKLY: _week,
    Word.MONTHLY: _month,
    Word.YEARLY: _year,
    Word.WITHIN: _each,
    Word.WITHIN_HOURLY: _hour,
    Word.WITHIN_DAILY: _day,
    Word.WITHIN_WEEKLY: _week,
    Word.WITHIN_MONTHLY: _month,
    Word.WITHIN_YEARLY: _year,
}
_ORDER = {word: number for number, word in enumerate(Word)}
