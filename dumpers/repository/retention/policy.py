"""A retention policy, in the words of restic's `forget`: parsed, and printed in one form.

A policy is a list such as `keep-last=7,keep-daily=14,keep-within=30d`, or `none`. Words and their
meaning: restic/restic doc/060_forget.rst, as of 0.18.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from dumpers.repository.retention.duration import Duration, parse_duration

NONE = "none"
# All backups of that kind, whatever their number.
UNLIMITED = -1
_UNLIMITED = "unlimited"
_MAX_COUNT = 10**9
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_SHOWN = 40
_EXAMPLE = "keep-last=7,keep-daily=14,keep-weekly=8"


class Word(StrEnum):
    """What keeps a backup: the newest of each hour, day …, by their number or by their age."""

    LAST = "keep-last"
    HOURLY = "keep-hourly"
    DAILY = "keep-daily"
    WEEKLY = "keep-weekly"
    MONTHLY = "keep-monthly"
    YEARLY = "keep-yearly"
    WITHIN = "keep-within"
    WITHIN_HOURLY = "keep-within-hourly"
    WITHIN_DAILY = "keep-within-daily"
    WITHIN_WEEKLY = "keep-within-weekly"
    WITHIN_MONTHLY = "keep-within-monthly"
    WITHIN_YEARLY = "keep-within-yearly"

    @property
    def is_duration(self) -> bool:
        """Whether an age follows the word, and not a number of backups."""
        return self.startswith(Word.WITHIN)


_WORDS = {str(word): word for word in Word} | {
    "keep-latest": Word.LAST,
    "keep-annual": Word.YEARLY,
}


class PolicyError(ValueError):
    """A text that is no policy; the message names the place, what is wrong, and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Numbers of backups and ages by their words; at least one of them keeps something.

    A count is positive or UNLIMITED, an age is not zero. A word is in one of the two.
    """

    counts: dict[Word, int]
    ages: dict[Word, Duration]

    def __str__(self) -> str:
        """The policy as it is written: every word by its own name, in the order of the words."""
        written = {word: str(age) for word, age in self.ages.items()}
        for word, count in self.counts.items():
            written[word] = _UNLIMITED if count == UNLIMITED else str(count)
        return ",".join(f"{word}={written[word]}" for word in Word if word in written)


def parse_policy(text: str) -> Policy | None:
    """Read a policy; None for `none`, which keeps everything. PolicyError for anything else."""
    if text.strip() == NONE:
        return None
    if not text.strip():
        raise PolicyError(f"is empty: write {NONE}, or a policy such as {_EXAMPLE}")
    counts: dict[Word, int] = {}
    ages: dict[Word, Duration] = {}
    seen: set[Word] = set()
    column = 1
    for item in text.split(","):
        word, amount, place = _read_item(item, column)
        if word in seen:
            raise _error(column, item.strip(), f"gives {word} a second time: leave one of them")
        seen.add(word)
        if word.is_duration:
            age = _read_age(word, amount, place)
            if not age.is_zero:
                ages[word] = age
        elif count := _read_count(word, amount, place):
            counts[word] = count
        column += len(item) + 1
    if not counts and not ages:
        raise PolicyError(
            f"keeps nothing: every amount in it is zero. Write {NONE} to keep everything, or a "
            f"policy such as {_EXAMPLE}"
        )
    return Policy(counts=counts, ages=ages)


def print_policy(policy: Policy | None) -> str:
    """A policy, or that there is none, as `parse_policy` reads it."""
    return NONE if policy is None else str(policy)


def _read_item(item: str, column: int) -> tuple[Word, str, int]:
    """The word and the amount of one item, and the column of the amount."""
    name, equals, amount = item.partition("=")
    bare = name.strip()
    column += len(name) - len(name.lstrip())
    if not item.strip():
        raise _error(column, "", "nothing stands between two commas: remove one of them")
    word = _WORDS.get(bare)
    if word is None:
        raise _error(column, bare, _unknown(bare))
    if not equals:
        example = "30d" if word.is_duration else "7"
        raise _error(column, bare, f"has no amount: write {word}={example}")
    place = column + len(name.lstrip()) + 1 + len(amount) - len(amount.lstrip())
    return word, amount.strip(), place


def _unknown(name: str) -> str:
    if name == NONE:
        return "stands alone or not at all: leave it out, or all others"
    with suppress(ValueError):
        age = parse_duration(name)
        return f"is an age alone: write {Word.WITHIN}={age} to keep all backups that are younger"
    near = get_close_matches(name[:_SHOWN], _WORDS, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"is no word of a policy: {meant}There are {', '.join(_WORDS)}, and {NONE}"


def _read_count(word: Word, amount: str, column: int) -> int:
    if amount == _UNLIMITED:
        return UNLIMITED
    if not _NUMBER.fullmatch(amount) or int(amount) > _MAX_COUNT:
        fix = f"write {_UNLIMITED}, or a whole number up to {_MAX_COUNT}, as in {word}=7"
        raise _error(column, amount, f"is no number of backups: {fix}")
    return int(amount)


def _read_age(word: Word, amount: str, column: int) -> Duration:
    try:
        return parse_duration(amount)
    except ValueError as error:
        raise _error(column, amount, f"is no age: {error}, as in {word}=1y5m7d2h") from None


def _error(column: int, what: str, why: str) -> PolicyError:
    shown = what if len(what) <= _SHOWN else f"{what[:_SHOWN]}…"
    return PolicyError(f"is wrong in column {column}: {f'{shown!r} ' if what else ''}{why}")
