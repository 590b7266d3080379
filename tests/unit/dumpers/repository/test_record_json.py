import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.repository.added_records import Verification
from dumpers.repository.record_json import (
    Record,
    digest,
    make_tombstone,
    read_record,
    unbury,
    write_record,
)
from dumpers.repository.records import (
    DamagedRecord,
    Encryption,
    FailedRecord,
    Manifest,
    ObjectRecord,
    Removal,
    StartedRecord,
    Tombstone,
    UnknownRecord,
)
from tests.fakes.first_meetings import first_meetings
from tests.unit.dumpers.repository.records_made import (
    ACCEPTANCES,
    BOOTSTRAPS,
    CHECKS,
    COPIES,
    DRILLS,
    FAILURES,
    FINGERPRINTS,
    MANIFESTS,
    METADATA,
    PINS,
    RESTORATIONS,
    SHARDS,
    SHRUNK,
    STARTED,
    TIMES,
    UNREAD,
    VERIFICATIONS,
)

RUN = StartedRecord(
    run="r1",
    cluster="c",
    workload="demo/db",
    cronjob="cj",
    pod="cj-1",
    engine="postgresql",
    bucket="b",
    started=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    deadline_seconds=60,
    keys=("k",),
)
OBJECT = ObjectRecord(
    key="k",
    name="shöp",
    ending=".sql",
    size=1,
    sha256="a",
    crc32="b",
    source_size=2,
    source_sha256="c",
    checked=True,
)
LATER = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)


def manifest(*recipients: str) -> Manifest:
    return Manifest(
        begun=RUN,
        finished=LATER,
        server_version="17.1",
        tool_version="pg_dump 17",
        encryption=Encryption(recipients=recipients) if recipients else None,
        objects=(OBJECT,),
    )


def document_of(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(write_record(record))
    return document


def read(document: object) -> object:
    return read_record(json.dumps(document).encode())


@given(
    STARTED
    | MANIFESTS
    | FINGERPRINTS
    | FAILURES
    | VERIFICATIONS
    | DRILLS
    | RESTORATIONS
    | PINS
    | BOOTSTRAPS
    | ACCEPTANCES
    | COPIES
    | CHECKS
    | SHARDS
    | SHRUNK
    | UNREAD
)
def test_what_is_written_is_what_is_read(record: Record) -> None:
    assert read_record(write_record(record)) == record


@given(STARTED | MANIFESTS, st.sampled_from(Removal), TIMES)
def test_a_tombstone_holds_what_it_buries(
    record: StartedRecord | Manifest, removal: Removal, removed: datetime
) -> None:
    tombstone = make_tombstone(write_record(record), removal=removal, removed=removed)
    assert isinstance(tombstone, Tombstone)
    assert tombstone.buried == record
    assert tombstone.is_decided
    for stands in (tombstone, replace(tombstone, is_decided=False)):
        again = read_record(write_record(stands))
        assert again == stands
        assert isinstance(again, Tombstone)
        assert unbury(again) == write_record(record)


def test_a_tombstone_keeps_members_that_nobody_knows() -> None:
    body = json.dumps(document_of(RUN) | {"later": [1]}).encode()
    tombstone = make_tombstone(body, removal=Removal.SWEPT, removed=LATER)
    assert isinstance(tombstone, Tombstone)
    assert document_of(tombstone)["buried"]["later"] == [1]
    assert json.loads(unbury(tombstone)) == json.loads(body)


def test_a_tombstone_that_does_not_say_whether_it_is_decided_is_damaged() -> None:
    tombstone = make_tombstone(write_record(RUN), removal=Removal.PRUNED, removed=LATER)
    assert isinstance(tombstone, Tombstone)
    document = document_of(tombstone)
    assert "decided" not in document
    assert isinstance(read(document | {"decided": "no"}), DamagedRecord)


@given(METADATA)
def test_unknown_members_are_ignored(members: dict[str, Any]) -> None:
    unknown = {f"x-{name}": value for name, value in members.items()}
    assert read(document_of(RUN) | unknown) == RUN
    document = document_of(manifest())
    document["objects"][0] |= unknown
    document |= unknown
    assert read(document | {"digest": digest(document)}) == manifest()


@pytest.mark.parametrize(
    ("document", "unknown"),
    [
        ({"format": 2, "record": "manifest"}, UnknownRecord(format=2, kind="manifest")),
        ({"format": 1, "record": "later"}, UnknownRecord(format=1, kind="later")),
        ({"format": "1", "record": "started"}, UnknownRecord(format="1", kind="started")),
        ({"format": True, "record": "started"}, UnknownRecord(format=True, kind="started")),
        ({"record": "started"}, UnknownRecord(format=None, kind="started")),
        ({}, UnknownRecord(format=None, kind="")),
        (
            {"format": 1, "record": "swept", "removed": "?", "buried": {"format": 9}},
            UnknownRecord(format=9, kind=""),
        ),
    ],
)
def test_a_format_that_is_not_known_is_said_to_be(
    document: dict[str, Any], unknown: UnknownRecord
) -> None:
    assert read(document) == unknown


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"\xff", b"[" * 100_000, b'{"format": 1, "record": "started"}'),
        write_record(manifest()).replace(b'"k"', b'"other"'),
        json.dumps(document_of(manifest()) | {"digest": None}).encode(),
        json.dumps(document_of(RUN) | {"started": "2026-01-02T03:04:05"}).encode(),
        json.dumps(document_of(RUN) | {"keys": [1]}).encode(),
        json.dumps({"format": 1, "record": "pruned", "removed": "2026-01-02T03:04:05Z"}).encode(),
    ],
)
def test_what_is_damaged_is_said_to_be(body: bytes) -> None:
    assert isinstance(read_record(body), DamagedRecord)


def test_nothing_is_buried_that_names_no_objects() -> None:
    failed = FailedRecord(run="r", finished=LATER, exit_code=1, reason="r", message="m")
    for body in (write_record(failed), b"{}", b""):
        made = make_tombstone(body, removal=Removal.SWEPT, removed=LATER)
        assert isinstance(made, UnknownRecord | DamagedRecord)


def test_the_started_record_names_what_will_be_written() -> None:
    document = document_of(RUN)
    assert document["keys"] == ["k"]
    assert document["started"] == "2026-01-02T03:04:05Z"
    assert (document["format"], document["record"]) == (1, "started")


def test_the_manifest_carries_a_digest_of_itself() -> None:
    document = document_of(manifest("age1x"))
    assert document["digest"] == digest(document)
    assert document["digest"] != digest(document | {"objects": []})
    assert document["encryption"] == {"scheme": "age", "recipients": ["age1x"]}
    assert document["objects"][0]["ending"] == ".sql"
    assert document["run"] == "r1"


def test_a_run_of_several_storages_says_where_it_went_and_what_was_missed() -> None:
    names = {"storage", "storages", "missing"}
    assert not names & json.loads(write_record(RUN)).keys()
    assert not names & json.loads(write_record(manifest())).keys()
    begun = replace(RUN, storage="offsite", storages=("main", "offsite"))
    assert json.loads(write_record(begun))["storages"] == ["main", "offsite"]
    document = json.loads(write_record(replace(manifest(), begun=begun, missing=("main",))))
    assert (document["storage"], document["missing"]) == ("offsite", ["main"])


def test_no_encryption_is_said_so() -> None:
    assert document_of(manifest())["encryption"] is None


def test_a_verdict_is_that_of_the_objects() -> None:
    verification = Verification(run="r", method="read-back", finished=LATER, objects=())
    document = document_of(verification) | {"record": "damaged"}
    assert isinstance(read(document | {"digest": digest(document)}), DamagedRecord)


def test_every_type_is_met_before_threads_read_records() -> None:
    """See the module: two threads that meet one at once crash the process."""
    kinds = "(r.Verification, *r._MEMBERS_OF.values())"
    assert (
        first_meetings(
            "import contextlib, msgspec; from dumpers.repository import record_json as r",
            f"for kind in {kinds}:\n"
            " with contextlib.suppress(msgspec.ValidationError):\n"
            "  msgspec.convert({}, kind)",
        )
        == []
    )
