"""What a proof keeps of what earlier ones knew."""

import json
from typing import Any

import pytest

from controller.model import names
from controller.runs.proving.proofs import proof_annotations
from controller.runs.restorable import restorable_of
from dumpers.contract.restore.result import BackupResult
from tests.unit.controller.runs.proving import test_drills, test_verifications
from tests.unit.controller.runs.proving.test_verifications import cronjob, pod

_COUNTED = {"oldest_backup": "2025-12-01T00:00:00Z", "backups": 9}
_KNOWN = {"job": "run-0", "finished": "2026-01-01T06:00:00Z", "backup": "a", "good": True}
_AT = "2026-01-04T06:10:00Z"


def asked(**said: Any) -> tuple[dict[str, Any], str]:
    made = test_verifications.ended("run-1", _AT)
    del made["metadata"]["ownerReferences"]
    result = BackupResult(
        succeeded=True, exit_code=0, reason="Succeeded", message="", backup="b", **said
    )
    return made, result.to_json()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (test_verifications.ended("run-1", _AT), test_verifications.GOOD),
        (test_drills.ended("run-1", _AT), test_drills.PASSED),
        # Its keys may not list.
        asked(),
    ],
    ids=["by schedule", "drill", "asked for"],
)
def test_how_many_backups_there_are_stays_as_of_when_that_was_known(run: Any, message: str) -> None:
    known = cronjob(last_proof=json.dumps(_KNOWN | _COUNTED))
    pods = {"job-run-1": (pod(message),)}
    proof = json.loads(proof_annotations(known, (run,), pods)[names.LAST_PROOF])
    assert proof["finished"] == _AT
    assert proof.items() >= {**_COUNTED, "as_of": "2026-01-01T06:00:00Z"}.items()
    found = restorable_of({"finished": "2025-12-31T00:00:00Z"}, proof)
    assert found
    assert (found.oldest, found.backups, found.as_of) == (
        "2025-12-01T00:00:00Z",
        9,
        "2026-01-01T06:00:00Z",
    )
    # What a dump has seen since is newer.
    dump = {"finished": "2026-01-02T00:00:00Z", "oldest_backup": "2025-12-15T00:00:00Z"}
    found = restorable_of(dump | {"backups": 4}, proof)
    assert found
    assert (found.backups, found.as_of) == (4, "2026-01-02T00:00:00Z")
    # And once more: the moment stays that of who counted.
    again = cronjob(last_proof=json.dumps(proof))
    later = {**run, "status": test_drills.ended("x", "2026-01-05T00:00:00Z")["status"]}
    once_more = json.loads(proof_annotations(again, (later,), pods)[names.LAST_PROOF])
    assert once_more["as_of"] == "2026-01-01T06:00:00Z"


def test_who_counts_anew_is_who_counts() -> None:
    known = cronjob(last_proof=json.dumps(_KNOWN | _COUNTED))
    run, message = asked(oldest_backup="2026-01-02T00:00:00Z", backups=3)
    proof = json.loads(
        proof_annotations(known, (run,), {"job-run-1": (pod(message),)})[
            "ksnapshot.clickandmortar.fr/last-proof"
        ]
    )
    assert (proof["backups"], proof["as_of"], proof["grade"]) == (3, _AT, "verified")


def test_of_two_that_ended_since_the_last_pass_each_gives_what_it_knows() -> None:
    first, counted = asked(oldest_backup="2026-01-02T00:00:00Z", backups=3)
    second = test_drills.ended("run-2", "2026-01-04T08:00:00Z")
    pods = {"job-run-1": (pod(counted),), "job-run-2": (pod(test_drills.PASSED),)}
    proof = json.loads(proof_annotations(cronjob(), (first, second), pods)[names.LAST_PROOF])
    assert (proof["job"], proof["grade"]) == ("run-2", "drilled")
    assert (proof["backups"], proof["as_of"]) == (3, _AT)


def test_what_somebody_broke_is_not_carried_on() -> None:
    known = cronjob(last_proof=json.dumps(_COUNTED | {"finished": "soon"}))
    run, message = asked()
    proof = json.loads(
        proof_annotations(known, (run,), {"job-run-1": (pod(message),)})[names.LAST_PROOF]
    )
    assert "backups" not in proof
