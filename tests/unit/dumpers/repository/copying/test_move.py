"""The records of a backup in another storage."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dumpers.contract.fingerprint import TableDigest
from dumpers.repository.copying.move import Move
from dumpers.repository.record_json import read_record, seal, write_record
from dumpers.repository.records import (
    FingerprintRecord,
    Manifest,
    ObjectFingerprint,
    StartedRecord,
)
from dumpers.runtime.errors import BackupDamagedError, ConfigurationError
from tests.unit.dumpers.repository.records_made import MANIFESTS
from tests.unit.dumpers.repository.test_record_json import OBJECT, manifest

MOVE = Move(source_path="a/b", path="c", bucket="there", storage="off-site")
BEGUN = replace(manifest().begun, keys=("a/b/k",))
MANIFEST = replace(manifest(), begun=BEGUN, objects=(replace(OBJECT, key="a/b/k"),))
PRINT = FingerprintRecord(
    run="r1",
    objects=(
        ObjectFingerprint(
            key="a/b/k", algorithm="x", tables={"t": TableDigest(digest="d", rows=1)}, rest="r"
        ),
    ),
)


def moved(body: bytes, *, checked: bool = True) -> Manifest:
    found = read_record(MOVE.manifest(body, checked={"c/k": checked}, fingerprint=""))
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize(
    ("source", "path", "key", "expected"),
    [
        ("a", "a", "a/k", "a/k"),
        ("a", "b/c", "a/a/k", "b/c/a/k"),
        ("", "b", "k", "b/k"),
        ("a", "", "a/k", "k"),
    ],
)
def test_a_key_has_the_path_of_its_storage(source: str, path: str, key: str, expected: str) -> None:
    move = Move(source_path=source, path=path, bucket="b", storage="s")
    assert move.key(key) == expected


def test_a_key_of_another_path_is_refused() -> None:
    with pytest.raises(BackupDamagedError, match="a/bc/k does not lie under a/b/"):
        MOVE.key("a/bc/k")


@pytest.mark.parametrize(
    ("path", "keys", "objects", "said"),
    [
        ("a/b", ["k"], ["k"], ""),
        ("a/b", ["k", "l"], ["l"], ""),
        ("a/b", ["manifests"], ["manifests"], ""),
        ("a/b", ["k"], ["l"], "names a/b/l, which its run was not to"),
        ("a/b", ["k", "manifests/c/cj/r/manifest.json"], ["k"], "where records lie"),
        ("a/b", ["k"], ["manifests/c/cj/r/manifest.json"], "where records lie"),
        # The path of others who use the bucket.
        ("", ["other/manifests/c/cj/r/manifest.json"], [], "where records lie"),
    ],
)
def test_a_manifest_names_nothing_but_what_its_run_was_to_write(
    path: str, keys: list[str], objects: list[str], said: str
) -> None:
    at = f"{path}/" if path else ""
    named = replace(
        MANIFEST,
        begun=replace(BEGUN, keys=tuple(at + key for key in keys)),
        objects=tuple(replace(OBJECT, key=at + key) for key in objects),
    )
    move = replace(MOVE, source_path=path)
    if not said:
        move.check(named)
        return
    with pytest.raises(BackupDamagedError, match=said):
        move.check(named)


def test_a_manifest_differs_in_its_place_alone() -> None:
    found = moved(write_record(MANIFEST), checked=False)
    objects = (replace(found.objects[0], key="a/b/k", checked=True),)
    assert replace(found, begun=BEGUN, objects=objects) == MANIFEST
    same = set(BEGUN.__slots__) - {"keys", "bucket", "storage"}
    assert not found.begun.is_copy
    assert all(getattr(found.begun, name) == getattr(BEGUN, name) for name in same)
    assert (found.begun.keys, found.begun.bucket) == (("c/k",), "there")
    assert (found.objects[0].key, found.objects[0].checked) == ("c/k", False)


def test_members_of_later_versions_stay() -> None:
    document = json.loads(write_record(MANIFEST)) | {"later": {"known": 1}}
    body = MOVE.manifest(seal(document), checked={"c/k": True}, fingerprint="")
    assert json.loads(body)["later"] == {"known": 1}
    assert json.loads(body)["storage"] == "off-site"
    assert isinstance(read_record(body), Manifest)


@given(MANIFESTS)
def test_in_the_same_place_every_manifest_is_the_same(given_manifest: Manifest) -> None:
    here = Move(source_path="", path="", bucket=given_manifest.begun.bucket, storage="")
    checked = {item.key: item.checked for item in given_manifest.objects}
    last = {item.key: item for item in given_manifest.objects}
    same = replace(given_manifest, objects=tuple(last.values()))
    found = read_record(here.manifest(write_record(same), checked=checked, fingerprint=""))
    assert isinstance(found, Manifest)
    assert replace(found, begun=same.begun) == same


def test_a_started_record_says_who_copies_and_how_long() -> None:
    body = MOVE.started(write_record(MANIFEST), pod="copy-1", deadline_seconds=7)
    found = read_record(body)
    assert isinstance(found, StartedRecord)
    assert (found.pod, found.deadline_seconds, found.keys) == ("copy-1", 7, ("c/k",))
    assert (found.run, found.started, found.bucket) == ("r1", BEGUN.started, "there")
    assert found.is_copy
    assert set(json.loads(body)) <= {*StartedRecord.__slots__, "format", "record"}


def _named(body: bytes) -> Manifest:
    return replace(MANIFEST, fingerprint=hashlib.sha256(body).hexdigest())


def test_a_fingerprint_has_the_keys_of_its_storage() -> None:
    body = write_record(PRINT)
    record = read_record(MOVE.fingerprint(body, _named(body)))
    assert isinstance(record, FingerprintRecord)
    assert [item.key for item in record.objects] == ["c/k"]
    assert replace(record.objects[0], key="a/b/k") == PRINT.objects[0]


def test_a_fingerprint_under_the_same_path_is_the_same() -> None:
    body = b"whatever a later version wrote"
    same = replace(MOVE, path="a/b")
    assert same.fingerprint(body, _named(body)) == body


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"format": 9}, ConfigurationError),
        ({"objects": 1}, BackupDamagedError),
    ],
)
def test_a_fingerprint_that_cannot_be_read_is_none(
    change: dict[str, Any], error: type[Exception]
) -> None:
    body = seal(json.loads(write_record(PRINT)) | change)
    with pytest.raises(error, match=r"fingerprint\.json"):
        MOVE.fingerprint(body, _named(body))
    with pytest.raises(BackupDamagedError, match="not the record that the manifest names"):
        MOVE.fingerprint(body, MANIFEST)
