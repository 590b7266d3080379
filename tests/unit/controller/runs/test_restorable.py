from typing import Any

import pytest

from controller.runs.restorable import LastProof, Restorable, last_proof_of, restorable_of

SUCCESS = {
    "finished": "2026-01-10T03:00:41Z",
    "record": "ksnapshot/manifests/c/j/20260110T030000Z-3f9c0a51b2d4/",
    "oldest_backup": "2025-12-01T03:00:00Z",
    "backups": 30,
}
PROOF = {
    "finished": "2026-01-10T05:00:00Z",
    "backup": "abc",
    "good": True,
    "oldest_backup": "2025-12-02T03:00:00Z",
    "backups": 29,
}


@pytest.mark.parametrize(
    ("success", "proof", "expected"),
    [
        (
            SUCCESS,
            {},
            ("2025-12-01T03:00:00Z", "2026-01-10T03:00:00Z", 30, "2026-01-10T03:00:41Z"),
        ),
        # What was said last counts.
        (
            SUCCESS,
            PROOF,
            ("2025-12-02T03:00:00Z", "2026-01-10T03:00:00Z", 29, "2026-01-10T05:00:00Z"),
        ),
        (
            SUCCESS,
            PROOF | {"finished": "2026-01-09T05:00:00Z"},
            ("2025-12-01T03:00:00Z", "2026-01-10T03:00:00Z", 30, "2026-01-10T03:00:41Z"),
        ),
        # Keys that may not list, and a dumper that did not say.
        (
            SUCCESS | {"oldest_backup": "", "backups": 0, "record": ""},
            {},
            ("", "2026-01-10T03:00:41Z", 0, "2026-01-10T03:00:41Z"),
        ),
        # Somebody edited the annotation.
        (
            SUCCESS | {"oldest_backup": 7, "backups": "many", "record": [1]},
            {"finished": "soon"},
            ("", "2026-01-10T03:00:41Z", 0, "2026-01-10T03:00:41Z"),
        ),
        ({}, PROOF, None),
        ({"finished": "2026-01-10T03:00:41"}, {}, None),
    ],
)
def test_what_can_be_restored(
    success: dict[str, Any], proof: dict[str, Any], expected: tuple[str, str, int, str] | None
) -> None:
    found = restorable_of(success, proof)
    if expected is None:
        assert found is None
        return
    oldest, newest, backups, as_of = expected
    assert found == Restorable(oldest=oldest, newest=newest, backups=backups, as_of=as_of)


@pytest.mark.parametrize(
    ("success", "proof", "expected"),
    [
        ({}, {}, None),
        (SUCCESS, {}, None),
        (SUCCESS, PROOF, ("2026-01-10T05:00:00Z", True, "abc")),
        (SUCCESS, PROOF | {"good": False}, ("2026-01-10T05:00:00Z", False, "abc")),
        (SUCCESS, PROOF | {"good": "yes"}, ("2026-01-10T05:00:00Z", False, "abc")),
        (
            SUCCESS | {"verified": "read-back"},
            {},
            ("2026-01-10T03:00:41Z", True, "3f9c0a51b2d4"),
        ),
        (
            SUCCESS | {"verified": "read-back"},
            PROOF | {"finished": "2026-01-09T05:00:00Z", "good": False},
            ("2026-01-10T03:00:41Z", True, "3f9c0a51b2d4"),
        ),
        (SUCCESS, {"finished": "x", "good": True}, None),
    ],
)
def test_the_last_proof(
    success: dict[str, Any], proof: dict[str, Any], expected: tuple[str, bool, str] | None
) -> None:
    found = last_proof_of(success, proof)
    if expected is None:
        assert found is None
        return
    when, good, backup = expected
    assert found == LastProof(when=when, good=good, backup=backup)
