import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dumpers.repository.catalogue import Entry, State, group_keys, read_entry, telling_record
from dumpers.repository.record_json import make_tombstone, write_record
from dumpers.repository.records import (
    Encryption,
    FailedRecord,
    Manifest,
    NoteRecord,
    ObjectRecord,
    Removal,
    StartedRecord,
    Tombstone,
)

PREFIX = "ksnapshot/manifests/c/cj/"
FOLDER = "20260102T030405Z-r1"
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = BEGAN + timedelta(days=3)
RUN = StartedRecord(
    run="r1",
    cluster="c",
    workload="demo/db",
    cronjob="cj",
    pod="cj-1",
    engine="postgresql",
    bucket="b",
    started=BEGAN,
    deadline_seconds=3600,
    keys=("k",),
)
OBJECT = ObjectRecord(
    key="k",
    name="shop",
    ending=".sql",
    size=10,
    sha256="a",
    crc32="b",
    source_size=100,
    source_sha256="c",
    checked=True,
)
MANIFEST = Manifest(
    begun=RUN,
    finished=BEGAN + timedelta(minutes=5),
    server_version="17.1",
    tool_version="pg_dump 17",
    encryption=Encryption(recipients=("age1x",)),
    objects=(OBJECT, replace(OBJECT, key="l")),
)
FAILED = FailedRecord(
    run="r1",
    finished=BEGAN + timedelta(minutes=1),
    exit_code=10,
    reason="SourceFailed",
    message="it went away",
)


def noted(*, accepted: bool) -> Manifest:
    note = NoteRecord(code="standby", text="from a standby", accepted=accepted)
    return replace(MANIFEST, notes=(note, note))


def buried(removal: Removal) -> bytes:
    tombstone = make_tombstone(write_record(MANIFEST), removal=removal, removed=NOW)
    assert isinstance(tombstone, Tombstone)
    return write_record(tombstone)


def entry(body: bytes, *others: str, now: datetime = NOW, name: str = "manifest.json") -> Entry:
    return read_entry(PREFIX, FOLDER, {name, *others}, body, now=now)


@pytest.mark.parametrize(
    ("body", "others", "state"),
    [
        (write_record(MANIFEST), (), State.COMPLETE),
        (write_record(noted(accepted=True)), (), State.COMPLETE),
        (write_record(noted(accepted=False)), (), State.NOTES),
        (write_record(MANIFEST), ("verified-20260103T000000Z.json",), State.COMPLETE),
        (write_record(MANIFEST), ("damaged-20260103T000000Z.json",), State.DAMAGED),
        (write_record(noted(accepted=False)), ("damaged-20260103T000000Z.json",), State.DAMAGED),
        (
            write_record(MANIFEST),
            ("damaged-20260103T000000Z.json", "verified-20260104T000000Z.json"),
            State.COMPLETE,
        ),
        (
            write_record(MANIFEST),
            ("verified-20260103T000000Z.json", "damaged-20260104T000000Z.json"),
            State.DAMAGED,
        ),
        (write_record(MANIFEST), ("damaged-soon.json", "drilled-1.json"), State.COMPLETE),
        (write_record(FAILED), (), State.FAILED),
        (write_record(RUN), (), State.CRASHED),
        (buried(Removal.SWEPT), (), State.SWEPT),
        (buried(Removal.PRUNED), (), State.PRUNED),
        (b'{"format": 9, "record": "manifest"}', (), State.UNKNOWN),
        (b'{"format": 1, "record": "later"}', (), State.UNKNOWN),
        (b"", (), State.DAMAGED),
        (write_record(MANIFEST).replace(b"17.1", b"17.2"), (), State.DAMAGED),
        (write_record(MANIFEST)[:-20], (), State.DAMAGED),
    ],
)
def test_state(body: bytes, others: tuple[str, ...], state: State) -> None:
    found = entry(body, *others)
    assert found.state is state
    assert found.is_restorable == (state in {State.COMPLETE, State.NOTES})
    assert bool(found.why) != found.is_restorable


@pytest.mark.parametrize(
    ("deadline", "after", "state"),
    [
        (3600, timedelta(minutes=74), State.RUNNING),
        (3600, timedelta(minutes=76), State.CRASHED),
        (None, timedelta(hours=23), State.RUNNING),
        (None, timedelta(hours=25), State.CRASHED),
    ],
)
def test_a_run_without_an_end(deadline: int | None, after: timedelta, state: State) -> None:
    body = write_record(replace(RUN, deadline_seconds=deadline))
    assert entry(body, now=BEGAN + after, name="started.json").state is state


def test_what_an_entry_says() -> None:
    document: dict[str, Any] = dict(entry(write_record(MANIFEST), "pinned.json").to_document())
    assert json.loads(json.dumps(document)) == {
        "id": "r1",
        "record": f"{PREFIX}{FOLDER}/",
        "started": "2026-01-02T03:04:05Z",
        "state": "complete",
        "finished": "2026-01-02T03:09:05Z",
        "why": "",
        "pinned": True,
        "proof": None,
        "drill": None,
        "cluster": "c",
        "workload": "demo/db",
        "cronjob": "cj",
        "engine": "postgresql",
        "server_version": "17.1",
        "source_bytes": 200,
        "stored_bytes": 20,
        "objects": 2,
        "recipients": ["age1x"],
        "notes": [],
        "checked": True,
        "size_accepted": False,
        "required_proof": "",
        "storages": [],
        "missing": [],
        "copying": False,
        "retention": None,
        "restorable": True,
    }


def test_an_entry_says_which_storages_missed_it() -> None:
    begun = replace(RUN, storage="main", storages=("main", "off-site"))
    found = entry(write_record(replace(MANIFEST, begun=begun, missing=("off-site",))))
    assert (found.storages, found.missing) == (("main", "off-site"), ("off-site",))
    assert found.is_restorable
    started = entry(write_record(begun))
    assert (started.storages, started.missing) == (("main", "off-site"), ())
    assert not started.copying
    assert entry(write_record(replace(begun, is_copy=True))).copying


@pytest.mark.parametrize(
    "begun",
    [
        replace(RUN, run="r2"),
        replace(RUN, started=BEGAN + timedelta(seconds=1)),
        replace(RUN, cluster="d"),
        replace(RUN, cronjob="other"),
    ],
)
def test_a_manifest_of_another_run_is_no_backup(begun: StartedRecord) -> None:
    found = entry(write_record(replace(MANIFEST, begun=begun)))
    assert (found.state, found.why) == (State.DAMAGED, "its manifest is that of another run")


def test_a_failure_is_told_in_its_own_words() -> None:
    assert entry(write_record(FAILED)).why == "SourceFailed: it went away"
    assert entry(write_record(noted(accepted=False))).notes == ("standby",)


def test_the_last_proof_is_told() -> None:
    names = ("damaged-20260103T000000Z.json", "verified-20260104T000000Z.json")
    assert entry(write_record(MANIFEST), *names).to_document()["proof"] == {
        "when": "2026-01-04T00:00:00Z",
        "good": True,
    }


def test_the_last_drill_is_told_and_makes_no_other_state() -> None:
    names = ("drilled-20260103T000000Z.json", "drill-failed-20260104T000000Z.json")
    found = entry(write_record(MANIFEST), *names)
    assert found.to_document()["drill"] == {"when": "2026-01-04T00:00:00Z", "good": False}
    assert found.is_restorable
    assert found.proof is None
    ahead = entry(write_record(MANIFEST), *names, "drilled-20990101T000000Z.json").drill
    assert ahead is not None
    assert not ahead.good


@pytest.mark.parametrize(
    ("verdicts", "when", "good"),
    [
        # NOW is 2026-01-05T03:04:05Z.
        (("verified-20990101T000000Z",), 2099, True),
        # A clock that is ahead heals nothing.
        (("verified-20990101T000000Z", "damaged-20260102T000000Z"), 2026, False),
        (
            ("verified-20990101T000000Z", "damaged-20260102T000000Z", "verified-20260103T000000Z"),
            2026,
            True,
        ),
        (
            ("verified-20990101T000000Z", "verified-20260102T000000Z", "damaged-20260103T000000Z"),
            2026,
            False,
        ),
        # What it found damaged is damaged, until a later verdict of who knew that.
        (("damaged-20990101T000000Z", "verified-20260103T000000Z"), 2099, False),
        (("damaged-20990101T000000Z", "verified-20990101T000001Z"), 2099, True),
        (("damaged-20990101T000001Z", "verified-20990101T000000Z"), 2099, False),
    ],
)
def test_verdicts_by_clocks_that_are_ahead(
    verdicts: tuple[str, ...], when: int, *, good: bool
) -> None:
    found = entry(write_record(MANIFEST), *(f"{name}.json" for name in verdicts))
    assert found.proof
    assert (found.proof.when.year, found.proof.good) == (when, good)
    assert found.is_restorable == good


@pytest.mark.parametrize(
    ("names", "telling"),
    [
        ({"started.json", "manifest.json", "failed.json"}, "manifest.json"),
        ({"started.json", "failed.json"}, "failed.json"),
        ({"started.json", "sweeping.json"}, "started.json"),
        ({"pinned.json"}, ""),
    ],
)
def test_one_record_tells_how_a_run_stands(names: set[str], telling: str) -> None:
    assert telling_record(names) == telling


def test_keys_that_are_no_records_of_a_run_do_not_count() -> None:
    keys = [f"{FOLDER}/started.json", f"{FOLDER}/manifest.json", "x/started.json", "20260102"]
    keys += ["20260103T030405Z-gone/verified-20260104T000000Z.json"]
    keys += ["20261302T000000Z-a/started.json", f"{FOLDER}/deeper/started.json"]
    assert group_keys(PREFIX, [PREFIX + key for key in keys]) == {
        FOLDER: {"started.json", "manifest.json"}
    }
