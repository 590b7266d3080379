"""The operator's storages: what is read of each, and the path of every fault."""

import json
from typing import Any

import pytest

from controller.settings.storages.parse import parse_storages
from controller.settings.storages.storage import AccessMode, CaReference, Storage
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.runtime.errors import ConfigurationError
from tests.fakes.worlds import settings

SECRET = "wJalrXUtnFEMI/K7MDENG"  # gitleaks:allow


def faults_of(storages: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        parse_storages(json.dumps(storages))
    return raised.value.faults


def test_everything_that_a_storage_may_say_is_read() -> None:
    given = {
        "bucket": "b-1.example",
        "endpoint": "https://s3.example:9000",
        "region": "eu-west-3",
        "path": "/a/b/",
        "pathStyle": True,
        "credentialsSecret": "keys",
        "readerSecret": "reading",
        "pruneSecret": "deleting",
        "ca": {"secret": "trust", "key": "ca.pem"},
        "storageClass": "STANDARD_IA",
        "sse": "aws:kms",
        "sseKmsKeyId": "alias/x",
        "tags": "a=b, c=d",
        "maxBandwidth": "10Mi",
        "patience": 300,
        "uploadConcurrency": 4.0,
        "objectLock": {"mode": "GOVERNANCE", "days": 30},
        "accessMode": "ReadWrite",
        "namespaces": ["shop", "team-*"],
    }
    assert parse_storages(json.dumps({"off-site": given})) == {
        "off-site": Storage(
            name="off-site",
            bucket="b-1.example",
            endpoint="https://s3.example:9000",
            region="eu-west-3",
            path="a/b",
            path_style=True,
            credentials_secret="keys",
            reader_secret="reading",
            prune_secret="deleting",
            ca=CaReference(secret="trust", key="ca.pem"),
            storage_class="STANDARD_IA",
            sse="aws:kms",
            sse_kms_key_id="alias/x",
            tags="a=b, c=d",
            max_bandwidth="10Mi",
            patience="300",
            upload_concurrency=4,
            object_lock=ObjectLock(mode="GOVERNANCE", days=30),
            namespaces=("shop", "team-*"),
        )
    }


def test_what_is_not_said_is_as_of_main() -> None:
    found = parse_storages(json.dumps({"o": {"bucket": "bb", "region": "", "objectLock": {}}}))
    assert found == {"o": Storage(name="o", bucket="bb")}
    assert (found["o"].path, found["o"].access_mode) == ("ksnapshot", AccessMode.READ_WRITE)
    assert found["o"].serves("anything")
    assert parse_storages("{}") == {}
    cosi = parse_storages('{"o": {"bucketInfoSecret": "granted"}}')["o"]
    assert (cosi.bucket, cosi.bucket_info_secret) == ("", "granted")


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        ({"bukcet": "b"}, "bukcet", "did you mean bucket?"),
        ({"bucket": "a b"}, "bucket", "a bucket's name"),
        ({"bucket": 3}, "bucket", "a bucket's name"),
        ({"region": "eu west"}, "region", "a region"),
        ({"endpoint": "s3.example"}, "endpoint", "http:// or https://"),
        ({"endpoint": f"https://k:{SECRET}@s3.example"}, "endpoint", "without a user name"),
        ({"endpoint": "https://s3.example?x=1"}, "endpoint", "without a user name or a query"),
        ({"path": "/"}, "path", "a path in the bucket"),
        ({"path": "a//b"}, "path", "a path in the bucket"),
        ({"path": "a b"}, "path", "a path in the bucket"),
        ({"pathStyle": "yes"}, "pathStyle", "must be true or false"),
        ({"credentialsSecret": SECRET}, "credentialsSecret", "Kubernetes name"),
        ({"credentialsSecret": {"name": "x"}}, "credentialsSecret", "the name of a Secret"),
        ({"readerSecret": "A"}, "readerSecret", "Kubernetes name"),
        ({"pruneSecret": "-"}, "pruneSecret", "Kubernetes name"),
        ({"bucketInfoSecret": "a b"}, "bucketInfoSecret", "Kubernetes name"),
        ({"ca": "pem"}, "ca", "must be an object"),
        ({"ca": {"key": "x"}}, "ca", "a Secret or a ConfigMap"),
        ({"ca": {"secret": "a", "configMap": "b"}}, "ca", "a Secret or a ConfigMap"),
        ({"ca": {"secret": "A"}}, "ca.secret", "Kubernetes name"),
        ({"ca": {"configMap": "a/b"}}, "ca.configMap", "Kubernetes name"),
        ({"ca": {"secret": "a", "key": "/"}}, "ca.key", "name of a key"),
        ({"ca": {"secret": "a", "file": "x"}}, "ca.file", "is not known"),
        ({"storageClass": "cold"}, "storageClass", "storage class"),
        ({"sse": "aes"}, "sse", "must be one of"),
        ({"sseKmsKeyId": "x"}, "sseKmsKeyId", "needs sse: aws:kms"),
        ({"sseKmsKeyId": "x", "sse": "AES256"}, "sseKmsKeyId", "needs sse: aws:kms"),
        ({"tags": "team"}, "tags", "key=value"),
        ({"tags": ["a=b"]}, "tags", "must be a text"),
        ({"maxBandwidth": "10MB"}, "maxBandwidth", "bytes a second"),
        ({"patience": "soon"}, "patience", "must be"),
        ({"uploadConcurrency": 0}, "uploadConcurrency", "from 1 to 16"),
        ({"uploadConcurrency": 17}, "uploadConcurrency", "from 1 to 16"),
        ({"uploadConcurrency": True}, "uploadConcurrency", "from 1 to 16"),
        ({"uploadConcurrency": 1.5}, "uploadConcurrency", "from 1 to 16"),
        ({"objectLock": "COMPLIANCE:3"}, "objectLock", "must be an object"),
        ({"objectLock": {"mode": "", "days": None}}, "objectLock", "a mode and days"),
        ({"objectLock": {"days": 3}}, "objectLock.mode", "must be one of: GOVERNANCE, COMPLIANCE"),
        ({"objectLock": {"mode": "HARD", "days": 3}}, "objectLock.mode", "must be one of"),
        ({"objectLock": {"mode": [], "days": 3}}, "objectLock.mode", "must be one of"),
        ({"objectLock": {"mode": {}}}, "objectLock.mode", "must be one of"),
        ({"objectLock": {"mode": "COMPLIANCE"}}, "objectLock.days", "from 1 to 36500"),
        ({"objectLock": {"mode": "COMPLIANCE", "days": 0}}, "objectLock.days", "from 1 to"),
        ({"objectLock": {"mode": "COMPLIANCE", "days": 40000}}, "objectLock.days", "from 1 to"),
        ({"objectLock": {"mode": "COMPLIANCE", "until": 1}}, "objectLock.until", "is not known"),
        ({"accessMode": "readwrite"}, "accessMode", "must be one of: ReadWrite, ReadOnly"),
        ({"accessMode": ["ReadOnly"]}, "accessMode", "must be one of"),
        ({"namespaces": "shop"}, "namespaces", "leave it out"),
        ({"namespaces": ["Shop"]}, "namespaces", "must be a list"),
        ({"namespaces": [3]}, "namespaces", "must be a list"),
        (
            {"bucketInfoSecret": "a", "credentialsSecret": "b"},
            "credentialsSecret",
            "besides bucketInfoSecret",
        ),
        (
            {"accessMode": "ReadOnly", "objectLock": {"mode": "COMPLIANCE", "days": 3}},
            "objectLock",
            "has no meaning",
        ),
        ({"accessMode": "ReadOnly", "pruneSecret": "x"}, "pruneSecret", "has no meaning"),
    ],
)
def test_a_fault_is_named_by_its_path_and_shows_no_value(given: Any, path: str, why: str) -> None:
    (fault,) = faults_of({"offsite": {"bucket": "bb"} | given})
    assert fault.startswith(f"storages.offsite.{path}: ")
    assert why in fault
    assert SECRET not in fault


@pytest.mark.parametrize(
    ("storages", "fault"),
    [
        ({"offsite": {}}, "storages.offsite.bucket: must name the bucket"),
        ({"offsite": None}, "storages.offsite: must be an object"),
        ({"Offsite": {"bucket": "b"}}, "storages.Offsite: its name must have at most 32"),
        ({"off_site": {"bucket": "b"}}, "storages.off_site: its name"),
        ({"1a": {"bucket": "b"}}, "storages.1a: its name"),
        ({"a" * 33: {"bucket": "b"}}, f"storages.{'a' * 33}: its name"),
        ({"main": {"bucket": "b"}}, "storages.main.bucket: is not said here"),
        ({"main": {"accessMode": "ReadOnly"}}, "storages.main.accessMode: is not said here"),
        ({"main": {"namespaces": {"a": 1}}}, "storages.main.namespaces: must be a list"),
        (
            {"a": {"bucket": "bb"}, "b": {"bucket": "bb", "path": "/ksnapshot/"}},
            "storages.b: is the same place as storages.a",
        ),
        (
            {
                "a": {"bucket": "bb", "endpoint": "https://S3.example/"},
                "b": {"bucket": "bb", "endpoint": "https://s3.example"},
            },
            "storages.b: is the same place as storages.a",
        ),
        (
            {
                "a": {"bucket": "bb"},
                "b": {"bucket": "bb", "endpoint": "https://s3.eu-west-3.amazonaws.com"},
            },
            "storages.b: is the same place as storages.a",
        ),
        (
            {"a": {"bucketInfoSecret": "s"}, "b": {"bucketInfoSecret": "s"}},
            "storages.b: is the same place as storages.a",
        ),
    ],
)
def test_a_storage_that_is_none(storages: Any, fault: str) -> None:
    (found,) = faults_of(storages)
    assert found.startswith(fault)


def test_places_that_differ_in_one_thing_are_no_twins() -> None:
    places = {
        "a": {"bucket": "bb"},
        "b": {"bucket": "bb", "path": "other"},
        "c": {"bucket": "bb", "endpoint": "http://s3.example"},
        "d": {"bucket": "cc"},
        "e": {"bucketInfoSecret": "bb"},
        "f": {"bucketInfoSecret": "bb", "path": "other"},
    }
    assert list(parse_storages(json.dumps(places))) == list(places)


def test_all_faults_are_told_at_once_and_among_those_of_other_settings() -> None:
    storages = {"a": {"sse": "x", "region": "-"}, "main": {"path": "x"}}
    with pytest.raises(ConfigurationError) as raised:
        settings(STORAGES=json.dumps(storages), POLL_INTERVAL_SECONDS="0")
    assert [fault.partition(" ")[0] for fault in raised.value.faults] == [
        "storages.a.sse:",
        "storages.a.region:",
        "storages.main.path:",
        "POLL_INTERVAL_SECONDS",
    ]
    with pytest.raises(ConfigurationError, match=r"STORAGES is refused .* must be a JSON object"):
        settings(STORAGES=f'["{SECRET}"]')


def test_main_is_always_there_and_may_be_for_some_only() -> None:
    everywhere = settings()
    assert everywhere.storages_for("a") == ("main",)
    some = settings(
        STORAGES=json.dumps(
            {
                "main": {"namespaces": ["shop"]},
                "offsite": {"bucket": "bb", "namespaces": ["sh*"]},
                "old": {"bucket": "cc", "accessMode": "ReadOnly"},
                "retired": {"bucket": "dd", "namespaces": []},
            }
        )
    )
    assert some.storages_for("shop") == ("main", "offsite")
    assert some.storages_for("show") == ("offsite",)
    assert some.storages_for("other") == ()
    assert some.storage("main") is some.storages["main"]
    assert some.storage("nowhere") is None
