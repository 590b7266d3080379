"""What a mark in several storages came to: which of the Jobs' ends are faults, and whose code."""

from typing import Any

import pytest

from controller.client.jobs.follow import JobRef
from controller.client.jobs.one_backup import Ended
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.retention.marking import document_of, failure_in
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.retention.marks import BackupNotFoundError

GOOD, MISSING, DOWN, REFUSED = 0, 2, 11, 21
_REASONS = {
    GOOD: "Succeeded",
    MISSING: BackupNotFoundError.reason,
    DOWN: "StorageFailed",
    REFUSED: "StorageRefused",
}


def ended(code: int, **members: Any) -> Ended:
    result = BackupResult(
        succeeded=code == GOOD,
        exit_code=code,
        reason=members.pop("reason", _REASONS[code]),
        message=f"code {code}",
        backup="aaaa",
    )
    outcome = Outcome.FAILED if code else Outcome.SUCCEEDED
    end = JobEnd(outcome=outcome, exit_code=code, message=result.to_json())
    return Ended(job=JobRef(namespace="n", name="j", uid="u"), end=end, result=result)


@pytest.mark.parametrize(
    ("codes", "expected", "said"),
    [
        ((GOOD,), None, ()),
        ((GOOD, GOOD), None, ()),
        # Another storage has it.
        ((MISSING, GOOD), None, ()),
        ((GOOD, MISSING, MISSING), None, ()),
        # None has it.
        ((MISSING, MISSING), 2, ("s0: ", "s1: ", "BackupNotFound")),
        ((GOOD, DOWN), 11, ("s1: pinning failed: StorageFailed",)),
        ((DOWN, GOOD, MISSING), 11, ("s0: ",)),
        ((DOWN, REFUSED, GOOD), 21, ("s0: ", "s1: ")),
        # The one that is down may have it.
        ((MISSING, DOWN), 11, ("s0: ", "s1: ")),
    ],
)
def test_whose_code_counts(
    codes: tuple[int, ...], expected: int | None, said: tuple[str, ...]
) -> None:
    ends = {f"s{number}": ended(code) for number, code in enumerate(codes)}
    error = failure_in(ends, "pinning", is_single=len(codes) == 1)
    assert (error.exit_code if error else None) == expected
    told = error.message if error else ""
    assert [text for text in said if text not in told] == []
    if len(codes) > 1:
        assert document_of(ends, "demo/db", is_single=False)["succeeded"] is (expected is None)


def test_other_faults_of_configuration_are_not_taken_for_a_backup_that_is_not_there() -> None:
    ends = {"main": ended(GOOD), "off-site": ended(MISSING, reason="ConfigurationInvalid")}
    error = failure_in(ends, "pinning", is_single=False)
    assert error is not None
    assert error.exit_code == 2


def test_the_only_storage_is_told_as_ever() -> None:
    error = failure_in({"main": ended(DOWN)}, "pinning", is_single=True)
    assert error is not None
    assert error.message == "pinning failed: StorageFailed: code 11"
    document = document_of({"main": ended(GOOD)}, "demo/db", is_single=True)
    assert (document["job"], document["workload"], document["succeeded"]) == ("j", "demo/db", True)
    assert "storages" not in document


def test_a_program_reads_each_storage() -> None:
    ends = {"main": ended(GOOD), "off-site": ended(DOWN)}
    document = document_of(ends, "demo/db", is_single=False)
    assert [(item["storage"], item["reason"]) for item in document["storages"]] == [
        ("main", "Succeeded"),
        ("off-site", "StorageFailed"),
    ]
