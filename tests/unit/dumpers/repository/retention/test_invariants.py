"""What holds for every history, every policy and every proof."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dumpers.repository.catalogue import Entry
from dumpers.repository.retention.duration import Duration
from dumpers.repository.retention.plan import Rules, Verdict
from dumpers.repository.retention.policy import UNLIMITED, Policy, Word
from dumpers.repository.retention.proof import Grade
from tests.unit.dumpers.repository.retention.histories import (
    FULL,
    NOW,
    backup,
    histories,
    judge,
    kept,
    proofs_of,
    proved,
    rules,
)
from tests.unit.dumpers.repository.retention.policies import POLICIES

ZONE = rules("none").zone
REQUIRED = st.sampled_from([Grade.STORED, Grade.READ, Grade.DRILLED])
ACCEPTED = st.none() | st.integers(0, 800).map(lambda days: NOW - timedelta(days=days))
RULES = st.builds(
    Rules,
    policy=POLICIES,
    floor=st.none() | POLICIES,
    zone=st.just(ZONE),
    required=REQUIRED,
    accepted=ACCEPTED,
)


def newest_good(entries: list[Entry]) -> set[str]:
    """The newest good backup of each CronJob here, leaving those of the future out."""
    found: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.started, entry.record)):
        if entry.state in {"complete", "notes"} and entry.started <= NOW and entry.cluster == "c":
            found[entry.cronjob] = entry
    return {entry.id for entry in found.values()}


@st.composite
def larger(draw: st.DrawFn, policy: Policy) -> Policy:
    """A policy that keeps at least what this one keeps."""
    counts = {
        word: count if count == UNLIMITED else draw(st.just(UNLIMITED) | st.integers(count, 12))
        for word, count in policy.counts.items()
    }
    ages = {
        word: Duration(
            years=age.years + draw(st.integers(0, 1)),
            months=age.months + draw(st.integers(0, 3)),
            days=age.days + draw(st.integers(0, 9)),
            hours=age.hours + draw(st.integers(0, 9)),
        )
        for word, age in policy.ages.items()
    }
    others = draw(POLICIES)
    return Policy(counts=others.counts | counts, ages=others.ages | ages)


@given(st.data())
def test_the_newest_good_backup_is_kept(data: st.DataObject) -> None:
    entries = data.draw(histories())
    found = judge(entries, data.draw(RULES), proofs=data.draw(proofs_of(entries)))
    assert found.keys() == {entry.id for entry in entries}
    assert newest_good(entries) <= kept(found)


@given(st.data())
def test_a_newer_backup_that_is_kept_and_proved_covers_whatever_is_deleted(
    data: st.DataObject,
) -> None:
    entries = data.draw(histories())
    proofs, wanted = data.draw(proofs_of(entries)), data.draw(RULES)
    found = judge(entries, wanted, proofs=proofs)
    for verdict in found.values():
        if verdict.keep:
            continue
        entry = verdict.entry
        assert not entry.pinned
        [cover] = [item for item in entries if item.record == verdict.covered_by]
        assert (cover.started, cover.record) > (entry.started, entry.record)
        assert cover.cronjob == entry.cronjob
        assert not found[cover.id].is_shrunk
        newer = [
            item.entry
            for item in found.values()
            if item.keep
            and item.entry.cronjob == entry.cronjob
            and item.entry.started >= entry.started
            and proofs[item.entry.record] >= wanted.required
        ]
        assert newer


@given(st.data())
def test_a_policy_that_keeps_more_deletes_no_more(data: st.DataObject) -> None:
    entries = data.draw(histories())
    proofs, wanted = data.draw(proofs_of(entries)), data.draw(RULES)
    assert wanted.policy
    more = replace(wanted, policy=data.draw(larger(wanted.policy)))
    assert kept(judge(entries, wanted, proofs=proofs)) <= kept(judge(entries, more, proofs=proofs))
    floor = replace(wanted, floor=wanted.floor or data.draw(POLICIES))
    assert kept(judge(entries, wanted, proofs=proofs)) <= kept(judge(entries, floor, proofs=proofs))


@given(st.data())
def test_more_proof_that_is_wanted_deletes_no_more(data: st.DataObject) -> None:
    entries = data.draw(histories())
    proofs, wanted = data.draw(proofs_of(entries)), data.draw(RULES)
    more = replace(wanted, required=max(wanted.required, data.draw(REQUIRED)))
    assert kept(judge(entries, wanted, proofs=proofs)) <= kept(judge(entries, more, proofs=proofs))


@given(st.data())
def test_the_order_of_the_records_does_not_matter(data: st.DataObject) -> None:
    entries = data.draw(histories())
    proofs, wanted = data.draw(proofs_of(entries)), data.draw(RULES)
    shuffled = data.draw(st.permutations(entries))
    assert judge(shuffled, wanted, proofs=proofs) == judge(entries, wanted, proofs=proofs)


@given(st.data())
def test_planning_again_after_the_deletions_deletes_nothing_more(data: st.DataObject) -> None:
    entries = data.draw(histories())
    check_planned_once(entries, data.draw(RULES), data.draw(proofs_of(entries)))


def test_planning_again_holds_by_what_the_first_plan_found_shrunk() -> None:
    # The first is small among those of 100, which go; among those that stay it is not.
    sizes = [45, 60, 100, 100, 100]
    entries = [backup(number, days=number, size=size) for number, size in enumerate(sizes)]
    entries.append(backup(9, days=900, size=10))
    wanted = rules("keep-last=1,keep-yearly=2")
    assert kept(check_planned_once(entries, wanted, proved(entries))) == {"r0", "r1", "r9"}


def check_planned_once(
    entries: list[Entry], wanted: Rules, proofs: Mapping[str, Grade]
) -> dict[str, Verdict]:
    first = judge(entries, wanted, proofs=proofs)
    again = judge(
        [entry for entry in entries if first[entry.id].keep],
        wanted,
        proofs=proofs,
        shrunk_before=shrunk(first),
    )
    assert kept(again) == again.keys() == kept(first)
    return first


@settings(max_examples=60)
@given(
    # Small once, and grown by then: any history that ends with a full backup.
    before=st.lists(st.sampled_from([20, 100, 5000, FULL, 9 * FULL]), max_size=20),
    empty=st.sampled_from([0, 20, FULL // 3]),
    wanted=RULES.map(lambda found: replace(found, accepted=None)),
    every=st.integers(12, 60),
    unproved=st.sets(st.integers(0, 30)),
)
@example(before=[20] * 7, empty=20, wanted=rules("keep-last=1"), every=30, unproved=set())
@example(before=[FULL] * 7, empty=20, wanted=rules("keep-last=1"), every=30, unproved=set())
@example(before=[], empty=20, wanted=rules("keep-last=1"), every=30, unproved=set())
def test_after_a_drop_of_everything_the_last_full_backup_is_there_a_year_later(
    before: list[int], empty: int, wanted: Rules, every: int, unproved: set[int]
) -> None:
    entries = [
        backup(number, days=800 - 3 * number, size=size)
        for number, size in enumerate([*before, FULL])
    ]
    last = entries[-1]
    found_shrunk: list[str] = []
    # Dumped again and again, each dump perfect, and pruned each time.
    for number, day in enumerate(range(1, 380, every)):
        moment = last.started + timedelta(days=day)
        fresh = replace(backup(100 + number, size=empty), started=moment, finished=moment)
        entries.append(fresh)
        proofs = proved([entry for entry in entries if number not in unproved or entry != fresh])
        found = judge(entries, wanted, proofs=proofs, shrunk_before=found_shrunk)
        found_shrunk += shrunk(found)
        entries = [entry for entry in entries if found[entry.id].keep]
    assert last in entries


def test_a_drop_is_not_survived_where_the_sizes_were_accepted() -> None:
    # The test above can fail.
    entries = [backup(0), backup(1, days=1), backup(2, days=2)]
    empty = [replace(entry, source_bytes=10, stored_bytes=10) for entry in entries[:2]]
    found = judge([*empty, entries[2]], rules("keep-last=1", accepted=NOW))
    assert kept(found) == {"r0"}
    assert Word.LAST in found["r0"].reasons


def shrunk(found: dict[str, Verdict]) -> list[str]:
    return [verdict.entry.record for verdict in found.values() if verdict.is_shrunk]
