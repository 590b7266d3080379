"""What a policy keeps, against restic's own `forget` on random histories."""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.retention.plan import Rules, plan
from dumpers.repository.retention.policy import Policy, Word, parse_policy
from dumpers.repository.retention.proof import Grade
from tests.testbed.restic import Restic
from tests.testbed.toolchain.require import require_linux

HISTORIES = 240
_ZONES = (
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "America/New_York",
    # Clocks change at midnight: it does not come, or comes twice.
    "America/Santiago",
    "America/Havana",
    # By half an hour; never, and far from UTC.
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
)
# When clocks change, a year ends, a week of the next year has begun, a leap day.
_CORNERS = (
    datetime(2023, 3, 26, 1, tzinfo=UTC),
    datetime(2023, 10, 29, 1, tzinfo=UTC),
    datetime(2023, 11, 5, 6, tzinfo=UTC),
    datetime(2023, 3, 12, 7, tzinfo=UTC),
    datetime(2023, 9, 3, 4, tzinfo=UTC),
    datetime(2023, 4, 1, 15, tzinfo=UTC),
    datetime(2021, 1, 1, tzinfo=UTC),
    datetime(2024, 12, 30, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2024, 3, 31, 2, tzinfo=UTC),
)
_STEPS = tuple(timedelta(hours=hours) for hours in (0.4, 1, 7, 24, 5 * 24, 31 * 24, 170 * 24))
# What restic calls the words in its reasons.
_CALLED = {
    "last snapshot": Word.LAST,
    "hourly snapshot": Word.HOURLY,
    "daily snapshot": Word.DAILY,
    "weekly snapshot": Word.WEEKLY,
    "monthly snapshot": Word.MONTHLY,
    "yearly snapshot": Word.YEARLY,
    "within": Word.WITHIN,
    "hourly within": Word.WITHIN_HOURLY,
    "daily within": Word.WITHIN_DAILY,
    "weekly within": Word.WITHIN_WEEKLY,
    "monthly within": Word.WITHIN_MONTHLY,
    "yearly within": Word.WITHIN_YEARLY,
}


@pytest.fixture(scope="module")
def restic(tmp_path_factory: pytest.TempPathFactory) -> Restic:
    require_linux()
    for zone in _ZONES:
        # Restic takes a zone that it does not find for UTC.
        assert Path("/usr/share/zoneinfo", zone).exists(), "the machine has no tzdata"
    return Restic.create(tmp_path_factory.mktemp("restic"))


def test_a_policy_keeps_what_restic_keeps(restic: Restic) -> None:
    def kept(seed: int) -> tuple[int, int, dict[str, object]]:
        policy, zone, moments = make_case(random.Random(seed))
        options = [f"--{item}" for item in str(policy).split(",")]
        theirs = {
            moment: tuple(words_of(reasons))
            for moment, reasons in restic.forget(str(seed), moments, options, zone).items()
        }
        ours = dict(keep(policy, zone, moments))
        case: dict[str, object] = {
            "policy": str(policy),
            "zone": zone.key,
            "ours": ours,
            "restic": theirs,
        }
        return len(moments), len(theirs), {} if ours == theirs else case

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(kept, range(HISTORIES)))
    assert [case for *_, case in found if case] == []
    # Neither everything nor nothing was to be kept, and so in most of them.
    assert sum(1 < kept < total for total, kept, _ in found) > HISTORIES * 0.6


def make_case(chance: random.Random) -> tuple[Policy, ZoneInfo, list[datetime]]:
    """A policy of one to five words, a zone, and times in any order, all different."""
    words = chance.sample(list(Word), chance.choice([1, 1, 2, 3, 5]))
    amounts = {word: make_age(chance) if word.is_duration else make_count(chance) for word in words}
    corner = chance.choice(_CORNERS)
    start = chance.choice(_CORNERS) + timedelta(seconds=chance.randint(-(10**6), 10**5))
    if chance.random() < 0.3:
        # What is kept ends where clocks change, perhaps at a time that they show twice or never.
        days = chance.randint(1, 3)
        amounts |= {Word.WITHIN: f"{days}d"}
        start = corner + timedelta(days=days, minutes=30 * chance.randint(-4, 4))
    policy = parse_policy(",".join(f"{word}={amount}" for word, amount in amounts.items()))
    assert policy is not None
    step = chance.choice(_STEPS)
    moments = {
        (start - step * number * chance.choice([1, 1, 1.5])).replace(microsecond=0)
        for number in range(chance.choice([1, 3, 12, 40]))
    }
    # Half an hour apart, where clocks change.
    moments |= {corner + timedelta(minutes=30 * number) for number in range(-4, 5)}
    shuffled = sorted(moments)
    chance.shuffle(shuffled)
    return policy, ZoneInfo(chance.choice(_ZONES)), shuffled


def make_count(chance: random.Random) -> str:
    return chance.choice(["unlimited", *map(str, (1, 2, 3, 5, 9, 24))])


def make_age(chance: random.Random) -> str:
    parts = {"y": (0, 1, 2), "m": (0, 1, 5, 13), "d": (0, 1, 2, 7, 30), "h": (0, 1, 3, 25)}
    chosen = chance.sample(list(parts), chance.choice([1, 1, 2, 4]))
    age = "".join(f"{chance.choice(parts[unit])}{unit}" for unit in parts if unit in chosen)
    # All zero would be no age.
    return age if any(digit in age for digit in "123456789") else "1d"


def keep(
    policy: Policy, zone: ZoneInfo, moments: list[datetime]
) -> Iterator[tuple[datetime, tuple[Word, ...]]]:
    """What retention keeps where every backup is proved and of one size, without a floor."""
    entries = [
        Entry(
            id=str(number),
            record=f"{number}/",
            started=moment,
            state=State.COMPLETE,
            cluster="c",
            cronjob="cj",
            source_bytes=1000,
            stored_bytes=100,
        )
        for number, moment in enumerate(moments)
    ]
    verdicts = plan(
        entries,
        Rules(policy=policy, floor=None, zone=zone, required=Grade.DRILLED),
        cluster="c",
        proofs={entry.record: Grade.DRILLED for entry in entries},
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    for verdict in verdicts:
        if verdict.keep:
            words = tuple(reason for reason in verdict.reasons if isinstance(reason, Word))
            yield verdict.entry.started, tuple(sorted(words))


def words_of(reasons: list[str]) -> list[Word]:
    """Restic's reasons for a snapshot as words: `daily within 7d`, `oldest weekly snapshot`."""
    found = []
    for reason in reasons:
        bare = reason.removeprefix("oldest ")
        bare = bare if bare in _CALLED else bare.rpartition(" ")[0]
        found.append(_CALLED[bare])
    return sorted(found)
