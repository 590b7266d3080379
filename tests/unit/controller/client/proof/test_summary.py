"""What a proof comes to: what is counted, and what is not taken for a proof."""

from typing import Any

import pytest

from controller.client.proof.summary import Summary
from tests.unit.controller.client.proof.statements import (
    FAILED_DRILL,
    backup,
    finding,
    signed,
    workload,
)

FULL = [
    backup(40, "none", state="pruned", manifest=None),
    backup(20, "drilled", finding("drilled", start_seconds=2, restore_seconds=40.5, seconds=99)),
    backup(10, "read", finding("read"), finding("restored", seconds=30.0)),
    backup(9, "none", state="failed", manifest=None, finished=None),
    backup(8, "none", state="damaged"),
    backup(3, "stored"),
    backup(2, "none", finding("drilled", good=False, restore_seconds=9000), drill=FAILED_DRILL),
]
DAY = 86_400


def summary(*workloads: dict[str, Any]) -> Summary:
    return Summary.of(signed(workloads).statement)


def test_good_backups_count_once_by_their_strongest_proof() -> None:
    [history] = summary(workload("demo/db", FULL, older=7)).histories
    assert len(history.good) == 3
    assert [history.graded(each) for each in ("drilled", "read", "stored", "none")] == [1, 1, 1, 0]
    assert (history.count("failed"), history.count("damaged"), history.older) == (1, 1, 7)
    assert (history.grade, history.drill_failed) == ("drilled", 1)
    assert history.oldest_unread is not None
    assert history.oldest_unread.document["id"] == "d3"


def test_the_longest_restore_is_of_a_drill_that_went_well() -> None:
    assert summary(workload("demo/db", FULL)).histories[0].restore_seconds == 42.5
    slow = [backup(1, "drilled", finding("drilled", restore_seconds=600))]
    everything = summary(workload("demo/db", FULL), workload("demo/slow", slow))
    assert everything.longest_restore is not None
    history, seconds = everything.longest_restore
    assert (history.name, seconds) == ("demo/slow", 600)
    assert summary(workload("demo/db", FULL[-1:])).longest_restore is None
    # What was restored for use may have been a part.
    used = [backup(1, "read", finding("restored", seconds=9000))]
    assert summary(workload("demo/db", used)).longest_restore is None


@pytest.mark.parametrize("seconds", [10**400, float("nan"), float("inf"), -1, True, "1"])
def test_seconds_that_are_none_count_for_nothing(seconds: Any) -> None:
    odd = finding("drilled", start_seconds=seconds, restore_seconds=seconds)
    assert summary(workload("demo/db", [backup(1, "drilled", odd)])).longest_restore is None


def test_the_longest_gap_is_between_backups_that_were_there_also_pruned_and_to_the_end() -> None:
    assert summary(workload("demo/db", FULL)).histories[0].longest_gap == 20 * DAY
    assert summary(workload("demo/db", FULL[2:5])).histories[0].longest_gap == 10 * DAY
    assert summary(workload("demo/db", FULL[3:5])).histories[0].longest_gap is None
    # One whose drill failed ends no gap.
    assert summary(workload("demo/db", FULL[-2:])).histories[0].longest_gap == 3 * DAY


@pytest.mark.parametrize(
    ("backups", "older", "days"),
    [
        # The first backup of a workload: nothing was missing before.
        ([backup(30, "read")], 0, 30),
        # There were runs before the period, which has 90 days: one more was due.
        ([backup(30, "read")], 1, 60),
        ([], 5, 90),
        ([backup(9, "none", state="failed")], 5, 90),
        ([], 0, None),
        # It is told because something was found out; those after it need not be.
        ([backup(400, "read"), backup(80, "read"), backup(30, "read")], 9, 50),
        ([backup(400, "read"), backup(30, "read")], 0, 60),
    ],
)
def test_the_longest_gap_counts_from_the_beginning_of_the_period_where_there_were_runs_before(
    backups: list[dict[str, Any]], older: int, days: int | None
) -> None:
    [history] = summary(workload("demo/db", backups, older=older)).histories
    assert history.longest_gap == (None if days is None else days * DAY)


def test_a_restore_for_use_is_no_reading_of_all_and_what_failed_its_drill_is_not_good() -> None:
    restored = backup(3, "stored", finding("restored"))
    refuted = backup(2, "none", drill=FAILED_DRILL)
    [history] = summary(workload("demo/db", [restored, refuted])).histories
    assert [item.is_unread for item in history.backups] == [True, False]
    assert (len(history.good), history.drill_failed, history.graded("none")) == (1, 1, 0)
    cleared = backup(1, "drilled", drill={**FAILED_DRILL, "good": True})
    pruned = backup(1, "none", drill=FAILED_DRILL, state="pruned")
    [history] = summary(workload("demo/db", [cleared, pruned])).histories
    assert (len(history.good), history.drill_failed) == (1, 0)


def test_shares_are_of_workloads_and_a_stronger_proof_includes_the_weaker() -> None:
    told = summary(
        workload("c", []),
        workload("b", [backup(1, "stored")]),
        workload("a", [backup(2, "drilled"), backup(1, "none")]),
    )
    assert [item.name for item in told.histories] == ["a", "b", "c"]
    assert [told.share(each) for each in ("drilled", "read", "stored")] == [1, 1, 2]
    assert told.oldest_unread is not None
    assert [told.oldest_unread[0].name, told.oldest_unread[1].document["id"]] == ["a", "d1"]


def _backups(*backups: Any) -> dict[str, Any]:
    """A predicate of one workload."""
    of_it = {**workload("a", []), "backups": list(backups)}
    predicate: dict[str, Any] = signed([]).statement["predicate"] | {"workloads": [of_it]}
    return predicate


@pytest.mark.parametrize(
    "predicate",
    [
        [],
        {},
        {"since": None, "until": None, "workloads": [{}]},
        {"since": None, "until": None, "workloads": 5},
        _backups(1),
        _backups(backup(1, "read") | {"proofs": 5}),
        _backups(backup(1, "read") | {"proofs": ["read"]}),
        _backups(backup(1, "read") | {"notes": None}),
        {**_backups(), "workloads": [workload("a", []) | {"older_runs": float("inf")}]},
    ],
)
def test_a_predicate_of_another_form_is_an_error(predicate: Any) -> None:
    with pytest.raises(ValueError, match=r"it is not as docs/proof\.md has it"):
        Summary.of({"subject": [], "predicate": predicate})


@pytest.mark.parametrize("subject", [None, 5, {}])
def test_subjects_of_another_form_are_an_error(subject: Any) -> None:
    with pytest.raises(ValueError, match=r"it is not as docs/proof\.md has it"):
        Summary.of({"subject": subject, "predicate": _backups()})
