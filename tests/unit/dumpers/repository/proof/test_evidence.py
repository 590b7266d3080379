"""What the records of a run prove: by names and bodies, and by none that is not its own."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dumpers.repository.added_records import (
    AskedObject,
    CheckedObject,
    Restoration,
    StoreCheck,
    UnreadRecord,
    Verification,
)
from dumpers.repository.proof.evidence import (
    Evidence,
    is_within,
    names_to_read,
    read_evidence,
    was_asked,
)
from dumpers.repository.record_json import write_record
from dumpers.repository.records import Manifest
from tests.unit.dumpers.repository.proof.drilled import drill
from tests.unit.dumpers.repository.test_catalogue import (
    BEGAN,
    FAILED,
    FOLDER,
    MANIFEST,
    NOW,
    OBJECT,
    PREFIX,
)

LATER = BEGAN + timedelta(hours=1)
STAMP = "20260102T040405Z"
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
# A dump whose keys may only write could not ask the store.
UNASKED = replace(MANIFEST, objects=(replace(OBJECT, checked=False),))
READ = Verification(
    run="r1",
    method="decoded",
    finished=LATER,
    objects=(CheckedObject(key="k", size=10, sha256="a", good=True),),
)
DAMAGED = replace(READ, objects=(replace(READ.objects[0], good=False, why="sha256 differs"),))
RESTORED = Restoration(
    run="r1",
    started=BEGAN,
    finished=LATER,
    by="ada",
    target="db:5432/shop",
    mode="new",
    reason="Succeeded",
    message="",
    target_partial=False,
)
CHECKED = StoreCheck(run="r1", finished=LATER, objects=(AskedObject(key="k", size=10, crc32=""),))
UNREAD = UnreadRecord(run="r1", finished=LATER, reason="BackupUnreadable", message="it is frozen")

ALTERED = drill().replace(b"public.a", b"public.b")


def evidence(
    bodies: dict[str, bytes],
    *,
    manifest: Manifest | None = UNASKED,
    others: Iterable[str] = (),
    since: datetime = BEGINNING,
) -> Evidence:
    telling = "manifest.json" if manifest else "failed.json"
    body = write_record(manifest or FAILED)
    names = {"started.json", telling, *bodies, *others}
    return read_evidence(PREFIX, FOLDER, names, body, bodies, since=since, now=NOW)


@pytest.mark.parametrize(
    ("bodies", "kind", "good", "grade"),
    [
        ({}, None, None, "none"),
        ({"checked.json": write_record(CHECKED)}, "stored", True, "stored"),
        ({f"verified-{STAMP}.json": write_record(READ)}, "read", True, "read"),
        ({f"damaged-{STAMP}.json": write_record(DAMAGED)}, "read", False, "none"),
        ({f"unread-{STAMP}.json": write_record(UNREAD)}, "unread", None, "none"),
        ({f"drilled-{STAMP}.json": drill()}, "drilled", True, "drilled"),
        ({f"drill-failed-{STAMP}.json": drill(good=False)}, "drilled", False, "none"),
        # What was restored for use was compared with nothing.
        ({f"restored-{STAMP}.json": write_record(RESTORED)}, "restored", True, "none"),
        (
            {f"restored-{STAMP}.json": write_record(replace(RESTORED, reason="TargetFailed"))},
            "restored",
            False,
            "none",
        ),
        # Nobody's record, another run's, and one whose body says something else than its name.
        ({f"verified-{STAMP}.json": b"{"}, "read", None, "none"),
        ({f"verified-{STAMP}.json": b"{}"}, "read", None, "none"),
        ({f"verified-{STAMP}.json": write_record(replace(READ, run="r2"))}, "read", None, "none"),
        ({f"verified-{STAMP}.json": write_record(DAMAGED)}, "read", None, "none"),
        ({f"drilled-{STAMP}.json": drill(run="r2")}, "drilled", None, "none"),
        ({f"drilled-{STAMP}.json": ALTERED}, "drilled", None, "none"),
        # What is whole, and says something else than its name promises.
        ({f"drilled-{STAMP}.json": write_record(READ)}, "drilled", None, "none"),
        ({f"verified-{STAMP}.json": drill()}, "read", None, "none"),
        ({"checked.json": write_record(READ)}, "stored", None, "none"),
        ({f"unread-{STAMP}.json": write_record(RESTORED)}, "unread", None, "none"),
        ({f"restored-{STAMP}.json": write_record(READ)}, "restored", None, "none"),
        ({f"verified-{STAMP}.json": write_record(MANIFEST)}, "read", None, "none"),
        # Of another format, whose members may mean anything.
        ({f"drilled-{STAMP}.json": drill(format=2)}, "drilled", None, "none"),
    ],
)
def test_each_record_proves_what_it_says_and_no_more(
    bodies: dict[str, bytes], kind: str | None, *, good: bool | None, grade: str
) -> None:
    found = evidence(bodies)
    assert found.grade == grade
    if kind is None:
        assert found.findings == ()
        return
    [item] = found.findings
    [body] = bodies.values()
    assert (item.kind, item.good, item.when) == (kind, good, LATER)
    assert item.sha256 == hashlib.sha256(body).hexdigest()
    # Whoever finds no verdict is told why.
    assert good is not None or item.facts.get("why") or item.facts.get("reason")


def test_the_manifest_is_bound_by_its_bytes_and_is_itself_a_proof_where_the_store_was_asked() -> (
    None
):
    found = evidence({}, manifest=MANIFEST)
    digest = hashlib.sha256(write_record(MANIFEST)).hexdigest()
    assert (found.manifest, found.subject) == (digest, f"{PREFIX}{FOLDER}/manifest.json")
    [stored] = found.findings
    assert (stored.kind, stored.when, stored.sha256) == ("stored", MANIFEST.finished, digest)
    document = found.to_document()
    assert document["manifest"] == found.subject
    assert (document["grade"], document["stored_bytes"], document["encrypted"]) == (
        "stored",
        20,
        True,
    )


def test_a_run_without_a_backup_binds_to_nothing_and_is_said_all_the_same() -> None:
    found = evidence({}, manifest=None)
    assert (found.manifest, found.grade, found.to_document()["manifest"]) == ("", "none", None)
    assert found.to_document()["state"] == "failed"
    assert "it went away" in found.to_document()["why"]


def test_the_newest_of_a_kind_counts_and_a_failed_drill_outweighs_all() -> None:
    early, late = "20260102T040000Z", "20260102T050000Z"
    good, bad = f"drilled-{early}.json", f"drill-failed-{late}.json"
    read = {f"verified-{late}.json": write_record(READ)}
    assert evidence({good: drill(), **read}).grade == "drilled"
    assert evidence({good: drill(), bad: drill(good=False), **read}).grade == "none"
    healed = {f"drill-failed-{early}.json": drill(good=False), f"drilled-{late}.json": drill()}
    assert evidence(healed).grade == "drilled"
    # Of a clock that was ahead: whoever wrote it did not know of the one that failed.
    ahead = {
        f"drill-failed-{early}.json": drill(good=False),
        "drilled-20990101T000000Z.json": drill(),
    }
    assert evidence(ahead).grade == "none"
    # It failed before the period, and nobody looks at its body.
    old = f"drill-failed-{early}.json"
    assert evidence(read, others=[old]).grade == "none"
    # Damage that was found before it, too.
    assert evidence({}, manifest=MANIFEST, others=[f"damaged-{early}.json"]).grade == "none"


@pytest.mark.parametrize("body", [b"", b"{}", drill(run="r2"), drill(format=2)])
def test_what_cannot_be_trusted_clears_nothing(body: bytes) -> None:
    early, late = "20260102T040000Z", "20260102T050000Z"
    failed = {f"drill-failed-{early}.json": drill(good=False), f"drilled-{late}.json": body}
    assert evidence(failed, manifest=MANIFEST).grade == "none"
    found = evidence({f"verified-{late}.json": body}, others=[f"damaged-{early}.json"])
    assert (found.grade, found.entry.state) == ("none", "damaged")
    # What speaks against a backup by its name does so in any case.
    assert evidence({f"drill-failed-{late}.json": body}, manifest=MANIFEST).grade == "none"
    # The one before it goes on counting.
    drilled = {f"drilled-{early}.json": drill(), f"drilled-{late}.json": body}
    assert evidence(drilled).grade == "drilled"
    # The store's own word goes on counting, too.
    assert evidence({"checked.json": body}, manifest=MANIFEST).grade == "stored"


def test_the_last_drill_is_said_whenever_it_was() -> None:
    old = "drill-failed-20260102T040000Z.json"
    document = evidence({}, others=[old], since=LATER).to_document()
    assert document["drill"] == {"when": "2026-01-02T04:00:00Z", "good": False}
    assert document["proofs"] == []
    assert evidence({}).to_document()["drill"] is None


def test_numbers_and_times_beyond_all_bounds_are_left_out() -> None:
    huge = drill(source_bytes=10**400, restore_seconds=float("inf"), age_seconds=float("nan"))
    [item] = evidence({f"drilled-{STAMP}.json": huge}).findings
    assert not {"source_bytes", "restore_seconds", "age_seconds"} & set(item.facts)
    early = write_record(CHECKED).replace(b'"2026-01-02T04:04:05Z"', b'"0001-01-01T00:00:00+14:00"')
    assert evidence({"checked.json": early}).findings == ()


def test_what_was_found_out_before_the_period_is_left_out() -> None:
    since = LATER - timedelta(minutes=1)
    found = evidence({"checked.json": write_record(CHECKED)}, manifest=MANIFEST, since=since)
    assert [item.record for item in found.findings] == ["checked.json"]


def test_a_drills_members_are_told_and_of_its_tables_how_many() -> None:
    [item] = evidence({f"drill-failed-{STAMP}.json": drill(good=False)}).findings
    assert item.facts == {
        "reason": "DrillFailed",
        "message": "1 of 2 tables differs",
        "method": "digests",
        "engine": "postgresql",
        "server_version": "17.2",
        "image": "postgres:17",
        "tables": 2,
        "differing": 1,
        "unproved": ["grants"],
        "source_bytes": 100,
        "age_seconds": 3600.0,
        "start_seconds": 2.0,
        "restore_seconds": 41.5,
        "compare_seconds": 7.0,
    }
    [good] = evidence({f"drilled-{STAMP}.json": drill(password="hunter2")}).findings
    assert "differing" not in good.facts
    assert "password" not in good.facts


def test_a_run_is_within_the_period_by_its_beginning_or_by_what_was_found_out() -> None:
    proved = ["manifest.json", f"drilled-{STAMP}.json"]
    assert is_within(FOLDER, ["manifest.json"], BEGAN)
    assert not is_within(FOLDER, ["manifest.json"], BEGAN + timedelta(seconds=1))
    assert is_within(FOLDER, proved, LATER)
    assert not is_within(FOLDER, proved, LATER + timedelta(seconds=1))
    # When the store was asked, only the record itself says.
    checked = write_record(CHECKED)
    assert was_asked(FOLDER, checked, LATER)
    assert not was_asked(FOLDER, checked, LATER + timedelta(seconds=1))
    assert not was_asked(FOLDER, b"{}", BEGINNING)
    assert not was_asked("elsewhere", checked, BEGINNING)
    names = [
        "manifest.json",
        "checked.json",
        "pinned.json",
        *proved,
        "verified-20250101T000000Z.json",
    ]
    assert names_to_read(names, BEGAN) == ["checked.json", f"drilled-{STAMP}.json"]
