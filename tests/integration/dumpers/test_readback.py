"""`verify: read-back`: what was stored is read once and compared with what was sent."""

import json

import pytest

from dumpers.repository.record_json import digest
from dumpers.runtime.errors import ExitCode
from tests.testbed.dumper import Dumper
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Cut, Fault, Rule, Status, Truncate
from tests.testbed.stores.s3 import S3Server

DUMP = r"\.sql\.gz"
RIGHTS = ("s3:PutObject", "s3:AbortMultipartUpload")


@pytest.fixture
def verifying(dumper: Dumper) -> Dumper:
    dumper.env["KSNAPSHOT_VERIFY"] = "read-back"
    return dumper


def verdict(s3: S3Server, bucket: str, name: str = "verified") -> dict[str, object]:
    [key] = [key for key in s3.objects(bucket) if f"/{name}-" in key]
    document: dict[str, object] = json.loads(s3.read(bucket, key))
    assert document["digest"] == digest(document)
    return document


def test_a_good_backup_is_verified(verifying: Dumper, s3: S3Server, bucket: str) -> None:
    ended = verifying.run()
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert ended.result.verified == "read-back"
    document = verdict(s3, bucket)
    assert (document["good"], document["method"]) == (True, "read-back")
    assert document["objects"] == [
        {
            "key": ended.result.keys[0],
            "size": ended.result.stored_bytes,
            "sha256": ended.result.sha256,
            "good": True,
        }
    ]


def test_nothing_is_read_unasked(dumper: Dumper, s3: S3Server, bucket: str) -> None:
    ended = dumper.run()
    assert ended.result.verified == ""
    assert not [key for key in s3.objects(bucket) if "/verified-" in key]


def test_a_damaged_backup_is_told(
    verifying: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(Truncate(after=100), "GET", DUMP))
    ended = verifying.run(BACKEND_S3_ENDPOINT=proxy.url)
    assert ended.exit_code == ExitCode.STORAGE_FAILED, ended.log
    assert "was read back and is damaged" in ended.result.message
    assert "this is no backup" in ended.result.message
    assert ended.result.verified == ""
    document = verdict(s3, bucket, "damaged")
    assert (document["good"], document["record"]) == (False, "damaged")
    # A damaged backup never exists: a listing alone says so.
    names = [key.rpartition("/")[2] for key in s3.objects(bucket) if "/manifests/" in key]
    assert names[1:] == ["failed.json", "started.json"]


@pytest.mark.parametrize("fault", [Status(500), Cut(after=100)], ids=["500", "cut in the middle"])
def test_a_read_that_fails_once_is_done_again(
    verifying: Dumper, s3: S3Server, bucket: str, faults: Faults, fault: Fault
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(fault, "GET", DUMP, times=1))
    ended = verifying.run(BACKEND_S3_ENDPOINT=proxy.url)
    assert ended.exit_code == ExitCode.DONE, ended.log
    assert verdict(s3, bucket)["good"] is True


def test_a_read_that_always_fails_gives_no_verdict(
    verifying: Dumper, s3: S3Server, bucket: str, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    proxy.set(Rule(Cut(after=100), "GET", DUMP))
    ended = verifying.run(BACKEND_S3_ENDPOINT=proxy.url, BACKEND_S3_PATIENCE="1")
    assert ended.exit_code == ExitCode.STORAGE_FAILED, ended.log
    assert "back in bucket" in ended.result.message
    assert not [key for key in s3.objects(bucket) if "/verified-" in key]


def test_the_right_to_read_is_proved_before_the_dump(
    verifying: Dumper, s3: S3Server, bucket: str
) -> None:
    keys = s3.create_user(f"v-{bucket}")
    s3.allow(bucket, {keys.access: RIGHTS})
    access = {"BACKEND_S3_ACCESS_KEY": keys.access, "BACKEND_S3_SECRET_KEY": keys.secret}
    ended = verifying.run(**access)
    assert ended.exit_code == ExitCode.STORAGE_REFUSED, ended.log
    assert "grant s3:GetObject" in ended.result.message
    assert [key.rpartition("/")[2] for key in s3.objects(bucket)] == [
        "failed.json",
        "started.json",
    ]
