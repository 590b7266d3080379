"""Which backups a scheduled verification reads, run after run."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.verify.sample import Sample, parse_sample
from dumpers.repository.catalogue import Entry, State
from dumpers.repository.keys import Proof
from dumpers.repository.sampling import (
    newest_backup,
    newest_verified,
    oldest_unread,
    take_turns,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1000)


def backup(
    days: int, *, read: int | None = None, size: int = 10, state: State = State.COMPLETE
) -> Entry:
    """A backup so many days old, last read so many days ago, or never."""
    started = NOW - timedelta(days=days)
    proof = None
    if read is not None:
        good = state is not State.DAMAGED
        proof = Proof(when=NOW - timedelta(days=read), good=good)
    return Entry(
        id=f"d{days}",
        record=f"manifests/c/cj/{started:%Y%m%d}/",
        started=started,
        state=state,
        proof=proof,
        stored_bytes=size,
        objects=2,
    )


def choose_sample(
    entries: Sequence[Entry],
    sample: Sample | None,
    *,
    broken: Collection[str] = (),
    tried: dict[str, datetime] | None = None,
    now: datetime = LATER,
) -> tuple[Entry, ...]:
    """What a run reads where the store does not give the `broken` records; these are noted."""
    tried = {} if tried is None else tried
    turns = take_turns(entries, sample, tried=tried, now=now)
    read: list[Entry] = []
    unread: set[str] = set()
    for entry in turns.order:
        if turns.is_enough({item.record for item in read}, unread):
            break
        if entry.record in broken:
            unread.add(entry.record)
        else:
            read.append(entry)
    moment = max((entry.proof.when for entry in entries if entry.proof), default=NOW)
    tried |= dict.fromkeys(unread, moment + timedelta(hours=1))
    return tuple(read)


NO_BACKUPS = [
    backup(0, state=state)
    for state in State
    if state not in {State.COMPLETE, State.NOTES, State.LEGACY}
]
WEEK = [backup(days, read=days) for days in range(7)]


@pytest.mark.parametrize(
    ("entries", "sample", "chosen"),
    [
        ([], "", []),
        ([], "1/7", []),
        (NO_BACKUPS, "", []),
        (NO_BACKUPS, "1/1", []),
        # Without a sample the newest, whether it was read or not.
        ([backup(2), backup(1, read=0), backup(3)], "", ["d1"]),
        ([backup(1, state=State.NOTES), backup(2)], "", ["d1"]),
        ([*NO_BACKUPS, backup(5)], "", ["d5"]),
        # The newest that was never read, and besides the share of the others.
        ([backup(0), *WEEK[1:]], "1/7", ["d0", "d6"]),
        ([backup(0)], "1/7", ["d0"]),
        ([backup(0, read=0)], "1/7", ["d0"]),
        # Those whose last verdict is the oldest, and those without one before them.
        (WEEK, "1/7", ["d6"]),
        (WEEK, "2/7", ["d6", "d5"]),
        ([*WEEK, backup(9), backup(8)], "3/9", ["d9", "d8", "d6"]),
        ([backup(1, read=0), backup(2, read=5), backup(3, read=1)], "1/3", ["d2"]),
        # At least the share: a backup is read whole, one more where the share is not reached.
        (WEEK, "1/8", ["d6"]),
        (WEEK, "1/6", ["d6", "d5"]),
        ([backup(0, read=0, size=90), backup(1, read=1, size=9)], "1/10", ["d1", "d0"]),
        ([backup(0, read=1, size=90), backup(1, read=0, size=9)], "1/10", ["d0"]),
        # Everything, each time.
        (WEEK, "1/1", ["d6", "d5", "d4", "d3", "d2", "d1", "d0"]),
        (WEEK, "7/7", ["d6", "d5", "d4", "d3", "d2", "d1", "d0"]),
        # What is damaged may heal, and is read in its turn; it is never the newest.
        ([backup(0, read=3, state=State.DAMAGED), backup(1, read=1)], "1/1", ["d0", "d1"]),
        ([backup(0, read=3, state=State.DAMAGED), backup(1, read=1)], "", ["d1"]),
        ([backup(0, read=0, state=State.DAMAGED), backup(1)], "1/9", ["d1", "d0"]),
        # But not where its manifest says nothing.
        ([replace(backup(0, read=3, state=State.DAMAGED), objects=0), backup(1)], "1/1", ["d1"]),
    ],
)
def test_what_a_run_reads(entries: list[Entry], sample: str, chosen: list[str]) -> None:
    wanted = parse_sample(sample) if sample else None
    assert [entry.id for entry in choose_sample(entries, wanted)] == chosen
    assert [entry.id for entry in choose_sample(entries[::-1], wanted)] == chosen


SAMPLES = st.integers(1, 12).flatmap(
    lambda of: st.builds(Sample, parts=st.integers(1, of), of=st.just(of))
)
BACKUPS = st.lists(
    st.builds(
        backup,
        st.integers(0, 400),
        read=st.none() | st.integers(0, 400),
        size=st.sampled_from([0, 1, 10, 1000, 1 << 40]) | st.integers(0, 1000),
    ),
    unique_by=lambda entry: entry.id,
    max_size=15,
)


def after(entries: Sequence[Entry], chosen: Sequence[Entry], moment: datetime) -> list[Entry]:
    read = {entry.id for entry in chosen}
    proof = Proof(when=moment, good=True)
    return [replace(entry, proof=proof) if entry.id in read else entry for entry in entries]


@given(BACKUPS, SAMPLES)
def test_all_that_stays_is_read_in_as_many_runs_as_the_share_goes_into_it(
    entries: list[Entry], sample: Sample
) -> None:
    began = NOW + timedelta(days=1)
    for number in range(-(-sample.of // sample.parts)):
        moment = began + timedelta(days=number)
        entries = after(entries, choose_sample(entries, sample), moment)
    assert all(entry.proof and entry.proof.when >= began for entry in entries)


@pytest.mark.parametrize("noted", [True, False])
@given(entries=BACKUPS, sample=SAMPLES, data=st.data())
def test_what_cannot_be_read_keeps_no_other_from_its_turn(
    entries: list[Entry], sample: Sample, data: st.DataObject, *, noted: bool
) -> None:
    """Whether it can be noted or not."""
    records = [entry.record for entry in entries]
    broken = data.draw(st.sets(st.sampled_from(records))) if records else set()
    tried: dict[str, datetime] = {}
    began = NOW + timedelta(days=1)
    for number in range(-(-sample.of // sample.parts)):
        moment = began + timedelta(days=number)
        chosen = choose_sample(entries, sample, broken=broken, tried=tried if noted else {})
        entries = after(entries, chosen, moment)
    assert all(
        entry.proof and entry.proof.when >= began for entry in entries if entry.record not in broken
    )


def test_what_ended_a_run_comes_behind_the_others() -> None:
    """Also the newest that was never read, and one that fills the share alone."""
    entries = [backup(0), backup(1, size=1000), backup(2), backup(3, read=1)]
    order = take_turns(entries, parse_sample("1/7"), tried={}, now=NOW).order
    assert [entry.id for entry in order] == ["d0", "d2", "d1", "d3"]
    tried = {entries[0].record: NOW, entries[1].record: NOW - timedelta(hours=1)}
    turns = take_turns(entries, parse_sample("1/7"), tried=tried, now=NOW)
    assert [entry.id for entry in turns.order] == ["d2", "d3", "d1", "d0"]
    assert turns.besides == 0
    assert newest_backup(entries, NOW) == entries[0]
    assert newest_backup(NO_BACKUPS, NOW) is None


@given(BACKUPS, SAMPLES, st.data())
def test_every_run_reads_its_share_the_newest_first_and_nothing_twice(
    entries: list[Entry], sample: Sample, data: st.DataObject
) -> None:
    chosen = choose_sample(entries, sample)
    assert choose_sample(data.draw(st.permutations(entries)), sample) == chosen
    assert len({entry.id for entry in chosen}) == len(chosen)
    total = sum(entry.stored_bytes for entry in entries)
    assert sum(entry.stored_bytes for entry in chosen) * sample.of >= total * sample.parts
    newest = max(entries, key=lambda entry: entry.started, default=None)
    if newest and newest.proof is None:
        assert chosen[0] == newest
        assert len(chosen) > 1 or len(entries) == 1
    # No more than it must: without the last one, the share is not reached.
    besides = [entry for entry in chosen if entry != newest or newest.proof]
    rest = sum(max(entry.stored_bytes, 1) for entry in besides[:-1])
    weight = sum(max(entry.stored_bytes, 1) for entry in entries)
    assert not besides or rest * sample.of < weight * sample.parts


def test_a_backup_that_comes_and_goes_unread_starves_no_other() -> None:
    """More backups are made than a run reads, the newest of them is read each time."""
    entries = [backup(40 + days, read=100 - days) for days in range(5)]
    for run in range(60):
        moment = NOW + timedelta(days=run)
        fresh = [
            replace(backup(0), id=f"r{run}-{n}", record=f"r{run}-{n}/", started=moment)
            for n in range(2)
        ]
        entries = [*entries[-30:], *fresh]
        chosen = choose_sample(entries, parse_sample("1/7"))
        assert chosen[0] == fresh[1]
        entries = after(entries, chosen, moment)
    unread = oldest_unread(entries, LATER)
    assert unread is None or NOW + timedelta(days=59) - unread.started < timedelta(days=15)


def test_what_was_never_read_and_what_was_read_last() -> None:
    entries = [
        backup(9, read=1, state=State.DAMAGED),
        *NO_BACKUPS,
        backup(5, read=3),
        backup(4, read=1),
        backup(3),
        backup(7),
    ]
    unread, verified = oldest_unread(entries, NOW), newest_verified(entries, NOW)
    assert unread
    assert verified
    assert (unread.id, verified.id) == ("d7", "d4")
    assert oldest_unread([], NOW) is newest_verified([backup(1)], NOW) is None


@pytest.mark.parametrize("sample", ["", "1/7", "1/1"])
def test_what_is_dated_in_the_future_has_no_turn_yet(sample: str) -> None:
    """Else it would be the newest for as long."""
    ahead = backup(-900)
    entries, wanted = [ahead, backup(1)], parse_sample(sample) if sample else None
    assert [entry.id for entry in choose_sample(entries, wanted, now=NOW)] == ["d1"]
    unread, newest = oldest_unread(entries, NOW), newest_backup(entries, NOW)
    assert unread == newest == entries[1]
    assert newest_verified([replace(ahead, proof=Proof(when=NOW, good=True))], NOW) is None
    assert ahead in choose_sample(entries, wanted)


def test_what_was_read_by_a_clock_that_is_ahead_has_its_turn_all_the_same() -> None:
    entries = [backup(1, read=-900), backup(2, read=1), backup(3, read=2)]
    sample = parse_sample("1/3")
    assert [entry.id for entry in choose_sample(entries, sample, now=NOW)] == ["d1"]
    assert [entry.id for entry in choose_sample(entries, sample)] == ["d3"]
    tried = {entries[1].record: NOW + timedelta(days=900)}
    turns = take_turns(entries[1:], sample, tried=tried, now=NOW)
    assert [entry.id for entry in turns.order] == ["d3", "d2"]
