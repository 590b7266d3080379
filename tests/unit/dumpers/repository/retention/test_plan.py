from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dumpers.repository.catalogue import Entry, State
from dumpers.repository.keys import Drilled, Proof
from dumpers.repository.retention.plan import Reason
from dumpers.repository.retention.policy import Word
from dumpers.repository.retention.proof import Grade, read_proofs
from tests.unit.dumpers.repository.retention.histories import (
    FULL,
    NOW,
    backup,
    judge,
    kept,
    proved,
    rules,
)


def daily(*sizes: int) -> list[Entry]:
    """One backup a day, newest first: r0, r1 …"""
    return [backup(number, days=number, size=size) for number, size in enumerate(sizes)]


def test_every_verdict_has_its_reasons() -> None:
    found = judge(daily(*[FULL] * 5), rules("keep-last=1,keep-daily=2", floor="keep-last=3"))
    assert [(name, verdict.keep, verdict.reasons) for name, verdict in found.items()] == [
        ("r0", True, (Word.LAST, Word.DAILY, Reason.FLOOR, Reason.NEWEST_GOOD)),
        ("r1", True, (Word.DAILY, Reason.FLOOR)),
        ("r2", True, (Reason.FLOOR,)),
        ("r3", False, (Reason.COVERED,)),
        ("r4", False, (Reason.COVERED,)),
    ]
    assert found["r3"].covered_by == "manifests/c/cj/0/"


def test_without_a_policy_everything_is_kept() -> None:
    found = judge(daily(*[FULL] * 3), rules("none"))
    assert [verdict.reasons for verdict in found.values()] == [
        (Reason.NO_POLICY, Reason.NEWEST_GOOD),
        (Reason.NO_POLICY,),
        (Reason.NO_POLICY,),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"state": State.LEGACY}, Reason.LEGACY),
        ({"state": State.UNKNOWN}, Reason.UNKNOWN_FORMAT),
        ({"state": State.DAMAGED}, Reason.DAMAGED),
        ({"state": State.FAILED}, Reason.NO_BACKUP),
        ({"state": State.RUNNING}, Reason.NO_BACKUP),
        ({"state": State.CRASHED}, Reason.NO_BACKUP),
        ({"state": State.SWEPT}, Reason.NO_BACKUP),
        ({"state": State.PRUNED}, Reason.NO_BACKUP),
        ({"cluster": "elsewhere"}, Reason.FOREIGN),
        ({"started": NOW + timedelta(seconds=1)}, Reason.OF_THE_FUTURE),
    ],
)
def test_what_no_policy_judges_is_kept_and_takes_nobodys_place(
    change: dict[str, Any], reason: Reason
) -> None:
    entries = [backup(0), replace(backup(1, days=1), **change), backup(2, days=2)]
    found = judge(entries, rules("keep-last=2"))
    assert found["r1"].reasons == (reason,)
    assert kept(found) == {"r0", "r1", "r2"}


def test_what_is_pinned_is_kept() -> None:
    entries = [backup(0), replace(backup(1, days=1), pinned=True), backup(2, days=2)]
    found = judge(entries, rules("keep-last=1"))
    assert found["r1"].reasons == (Reason.PINNED,)
    assert kept(found) == {"r0", "r1"}
    damaged = replace(entries[1], state=State.DAMAGED)
    assert judge([damaged], rules("keep-last=1"))["r1"].reasons == (Reason.PINNED, Reason.DAMAGED)


def test_each_cronjob_is_judged_by_itself() -> None:
    other = replace(backup(9, days=9), cronjob="other")
    found = judge([*daily(FULL, FULL), other], rules("keep-last=1"))
    assert kept(found) == {"r0", "r9"}


def test_a_backup_that_is_listed_twice_counts_once() -> None:
    entries = daily(FULL, FULL)
    assert kept(judge([entries[0], *entries], rules("keep-last=2"))) == {"r0", "r1"}


@pytest.mark.parametrize("required", [Grade.STORED, Grade.READ, Grade.DRILLED])
def test_only_what_is_proved_as_configured_covers(required: Grade) -> None:
    entries = daily(*[FULL] * 4)
    too_weak = Grade(required - 1)
    proofs = {item.record: too_weak for item in entries} | {entries[2].record: required}
    found = judge(entries, rules("keep-last=1", required=required), proofs=proofs)
    assert found["r1"].reasons == found["r2"].reasons == (Reason.PROOF_MISSING,)
    assert kept(found) == {"r0", "r1", "r2"}
    assert found["r3"].covered_by == entries[2].record


def test_no_proof_at_all_is_never_enough() -> None:
    with pytest.raises(ValueError, match="covers nothing"):
        rules("keep-last=1", required=Grade.NONE)


def test_what_a_record_proves() -> None:
    entry = backup(0)
    checked = replace(entry, checked=True)
    read = replace(entry, proof=Proof(when=NOW, good=True))
    assert read_proofs([entry]) == {entry.record: Grade.NONE}
    assert read_proofs([checked]) == {entry.record: Grade.STORED}
    assert read_proofs([read]) == {entry.record: Grade.READ}
    damaged = replace(checked, state=State.DAMAGED, proof=Proof(when=NOW, good=False))
    assert read_proofs([damaged]) == {entry.record: Grade.NONE}


@pytest.mark.parametrize(
    ("proof", "drill", "grade"),
    [
        (None, True, Grade.DRILLED),
        (True, True, Grade.DRILLED),
        (True, None, Grade.READ),
        # What was restored is not what was dumped, however well it is stored.
        (None, False, Grade.NONE),
        (True, False, Grade.NONE),
        # It was found damaged, before a drill or after it.
        (False, True, Grade.NONE),
        (False, False, Grade.NONE),
    ],
)
def test_what_a_drill_proves(*, proof: bool | None, drill: bool | None, grade: Grade) -> None:
    entry = replace(
        backup(0),
        checked=True,
        state=State.DAMAGED if proof is False else State.COMPLETE,
        proof=None if proof is None else Proof(when=NOW, good=proof),
        drill=None if drill is None else Drilled(when=NOW, good=drill),
    )
    assert read_proofs([entry]) == {entry.record: grade}


def test_a_backup_whose_drill_failed_covers_nothing() -> None:
    entries = [replace(entry, checked=True) for entry in daily(*[FULL] * 4)]
    entries[0] = replace(entries[0], drill=Drilled(when=NOW, good=False))
    found = judge(entries, rules("keep-last=1"), proofs=read_proofs(entries))
    assert kept(found) == {"r0", "r1"}
    assert found["r2"].covered_by == entries[1].record
    entries[2] = replace(entries[2], drill=Drilled(when=NOW, good=True))
    required = rules("keep-last=1", required=Grade.DRILLED)
    found = judge(entries, required, proofs=read_proofs(entries))
    assert kept(found) == {"r0", "r1", "r2"}
    assert found["r3"].covered_by == entries[2].record


def test_a_shrunk_backup_covers_nothing_until_its_size_is_accepted() -> None:
    entries = daily(400, 400, FULL, FULL, FULL)
    found = judge(entries, rules("keep-last=1"))
    assert kept(found) == {"r0", "r1", "r2"}
    assert [verdict.is_shrunk for verdict in found.values()] == [True, True, False, False, False]
    assert found["r1"].reasons == found["r2"].reasons == (Reason.PROOF_MISSING, Reason.SHRUNK)
    accepted = judge(entries, rules("keep-last=1", accepted=entries[1].finished))
    assert kept(accepted) == {"r0"}


def test_the_only_full_backup_is_enough_to_call_those_after_it_shrunk() -> None:
    assert kept(judge(daily(1, 1, FULL), rules("keep-last=1"))) == {"r0", "r1", "r2"}


def test_a_backup_of_twice_the_size_of_all_newer_ones_stays() -> None:
    # It had just grown: what is usual is small, so that what came after it is not shrunk.
    entries = daily(10, 10, FULL, 10, 10, 10, 10, 10)
    found = judge(entries, rules("keep-last=1"))
    assert not found["r0"].is_shrunk
    assert found["r2"].reasons == (Reason.PROOF_MISSING, Reason.SHRUNK)
    assert kept(found) == {"r0", "r2"}
    accepted = rules("keep-last=1", accepted=entries[1].finished)
    assert kept(judge(entries, accepted)) == {"r0"}


def test_what_was_found_shrunk_stays_so_when_the_full_ones_before_it_are_gone() -> None:
    entries = daily(30, 60, 10)
    assert not judge(entries, rules("keep-last=1"))["r0"].is_shrunk
    again = judge(entries, rules("keep-last=1"), shrunk_before=[entries[0].record])
    assert again["r0"].is_shrunk
    assert kept(again) == {"r0", "r1"}


def test_what_lacks_something_new_does_not_cover_what_has_it() -> None:
    entries = [backup(0, notes=("unreadable",)), backup(1, days=1), backup(2, days=2)]
    found = judge(entries, rules("keep-last=1"))
    assert found["r1"].reasons == (Reason.PROOF_MISSING, Reason.NEW_NOTES)
    assert kept(found) == {"r0", "r1"}
    noted = [replace(item, notes=("drift", "unreadable")) for item in entries[1:]]
    assert kept(judge([entries[0], *noted], rules("keep-last=1"))) == {"r0"}


def test_days_are_those_of_the_zone() -> None:
    # Half past midnight and an hour earlier in Paris, one day in UTC.
    entries = [backup(0, days=13.5625), backup(1, days=13.6042), backup(2, days=20)]
    assert kept(judge(entries, rules("keep-daily=2", zone="UTC"))) == {"r0", "r2"}
    assert kept(judge(entries, rules("keep-daily=2", zone="Europe/Paris"))) == {"r0", "r1"}


def test_clocks_that_are_far_off_delete_nothing() -> None:
    entries = daily(*[FULL] * 4)
    long_ago = judge(entries, rules("keep-last=1"), now=NOW - timedelta(days=4000))
    assert {verdict.reasons for verdict in long_ago.values()} == {(Reason.OF_THE_FUTURE,)}
    ages = rules("keep-within=30d")
    assert kept(judge(entries, ages, now=NOW + timedelta(days=4000))) == {"r0", "r1", "r2", "r3"}


def test_a_backup_of_the_future_covers_nothing() -> None:
    ahead = backup(9, days=-1)
    entries = [ahead, *daily(FULL, FULL)]
    found = judge(entries, rules("keep-last=1"), proofs=proved([ahead]))
    assert found["r1"].reasons == (Reason.PROOF_MISSING,)
