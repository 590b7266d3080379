import json
from datetime import UTC, datetime

from dumpers.repository.records import ObjectRecord, RunRecord, digest, manifest, started_record

RUN = RunRecord(
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
    size=1,
    sha256="a",
    crc32="b",
    source_size=2,
    source_sha256="c",
    checked=True,
)


def make(recipients: list[str]) -> dict[str, object]:
    body = manifest(
        RUN,
        finished=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
        server_version="17.1",
        tool_version="pg_dump 17",
        recipients=recipients,
        objects=[OBJECT],
        notes=[],
        metadata={},
    )
    document: dict[str, object] = json.loads(body)
    return document


def test_the_started_record_names_what_will_be_written() -> None:
    document = json.loads(started_record(RUN))
    assert document["keys"] == ["k"]
    assert document["started"] == "2026-01-02T03:04:05Z"
    assert (document["format"], document["record"]) == (1, "started")


def test_the_manifest_carries_a_digest_of_itself() -> None:
    document = make(["age1x"])
    assert document["digest"] == digest(document)
    assert document["digest"] != digest(document | {"objects": []})
    assert document["encryption"] == {"scheme": "age", "recipients": ["age1x"]}


def test_no_encryption_is_said_so() -> None:
    assert make([])["encryption"] is None
