"""The storages of a job: several of them, their names, and what is wrong with them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.storages.named_storage import NamedStorage, read_storages
from dumpers.contract.storages.object_lock import ObjectLock
from dumpers.contract.storages.variables import variables_with_lines

MAIN = {"BACKEND_BUCKET": "backups", "BACKEND_PATH": "ksnapshot"}
SECRET = "AKIA" + "x" * 8
INFO: Mapping[str, Any] = {
    "bucketName": "bc-1",
    "authenticationType": "KEY",
    "secretS3": {
        "endpoint": "https://store:9000",
        "region": "eu",
        "accessKeyID": "key",
        "accessSecretKey": SECRET,
    },
    "secretAzure": None,
    "protocols": ["s3"],
}


def read(env: Mapping[str, str]) -> tuple[NamedStorage, ...]:
    reader = EnvReader(env)
    storages = read_storages(reader)
    assert not reader.faults
    return storages


def faults(env: Mapping[str, str]) -> list[str]:
    reader = EnvReader(env)
    read_storages(reader)
    return reader.faults


def cosi(**changed: Any) -> str:
    return json.dumps({"metadata": {"name": "bc"}, "spec": {**INFO, **changed}})


def test_without_a_list_there_is_the_one_of_old() -> None:
    (only,) = read(MAIN)
    assert (only.name, only.location.bucket) == ("main", "backups")
    assert only.location.upload_concurrency == 2
    assert only.location.object_lock is None


def test_the_first_is_where_the_variables_of_old_say() -> None:
    first, second = read(
        {
            **MAIN,
            "KSNAPSHOT_STORAGES": "off-site,main",
            "STORAGE_MAIN__BUCKET": "here",
            "STORAGE_MAIN__S3_ENDPOINT": "http://minio",
            "STORAGE_MAIN__S3_UPLOAD_CONCURRENCY": "4",
            "STORAGE_MAIN__S3_OBJECT_LOCK": "COMPLIANCE:30",
        }
    )
    assert (first.name, first.location.bucket, first.location.endpoint) == (
        "off-site",
        "backups",
        None,
    )
    assert (second.name, second.location.bucket) == ("main", "here")
    assert second.location.endpoint == "http://minio"
    assert second.location.upload_concurrency == 4
    assert second.location.object_lock == ObjectLock(mode="COMPLIANCE", days=30)


def test_a_cosi_secret_says_where_and_with_which_keys() -> None:
    (only,) = read({"BACKEND_S3_BUCKET_INFO": cosi(), "BACKEND_PATH": "ksnapshot"})
    found = only.location
    assert (found.bucket, found.endpoint, found.region) == ("bc-1", "https://store:9000", "eu")
    assert (found.access_key, found.secret_key) == ("key", SECRET)
    assert SECRET not in repr(only)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"KSNAPSHOT_STORAGES": "main,,x"}, "KSNAPSHOT_STORAGES holds ''"),
        ({"KSNAPSHOT_STORAGES": "Main"}, "KSNAPSHOT_STORAGES holds 'Main': a storage's name"),
        ({"KSNAPSHOT_STORAGES": "main,main"}, "KSNAPSHOT_STORAGES names main twice"),
        (
            {"KSNAPSHOT_STORAGES": "main,b", "STORAGE_B__BUCKET": "backups"}
            | {"STORAGE_B__PATH": "/ksnapshot/"},
            "names main and b, which are one place",
        ),
        (
            {"KSNAPSHOT_STORAGES": "main,b", "STORAGE_B__BUCKET": "backups"}
            | {"STORAGE_B__S3_ENDPOINT": "https://s3.eu-west-3.amazonaws.com"}
            | {"STORAGE_B__PATH": "ksnapshot"},
            "names main and b, which are one place",
        ),
        (
            {"KSNAPSHOT_STORAGES": ",".join(f"s{number}" for number in range(17))},
            "KSNAPSHOT_STORAGES names 17 storages: at most 16",
        ),
        ({"BACKEND_BUCKET": ""}, "BACKEND_BUCKET is not set"),
        ({"BACKEND_S3_ACCESS_KEY": "k"}, "BACKEND_S3_SECRET_KEY is not set"),
        ({"BACKEND_S3_UPLOAD_CONCURRENCY": "17"}, "BACKEND_S3_UPLOAD_CONCURRENCY is '17'"),
        ({"BACKEND_S3_OBJECT_LOCK": "COMPLIANCE"}, "BACKEND_S3_OBJECT_LOCK is 'COMPLIANCE'"),
        ({"BACKEND_S3_OBJECT_LOCK": "GOVERNANCE:99999"}, "1 to 36500 days"),
        ({"BACKEND_S3_BUCKET_INFO": SECRET}, "BACKEND_S3_BUCKET_INFO must be the BucketInfo"),
        ({"BACKEND_S3_BUCKET_INFO": cosi(secretS3=None)}, "only S3 is spoken"),
        (
            {"BACKEND_S3_BUCKET_INFO": cosi(secretS3={"accessKeyID": f"{SECRET}\n"})},
            "BACKEND_S3_BUCKET_INFO holds a character that does not print",
        ),
        ({"BACKEND_S3_BUCKET_INFO": cosi(bucketName=7)}, "must be the BucketInfo of a COSI Secret"),
        (
            {"BACKEND_S3_BUCKET_INFO": cosi(secretS3={"endpoint": "https://store"})},
            "BACKEND_S3_BUCKET_INFO has no keys, and says that it has",
        ),
        (
            {
                "BACKEND_S3_BUCKET_INFO": cosi(
                    authenticationType="IAM", secretS3={"endpoint": "store:9000"}
                )
            },
            "BACKEND_S3_BUCKET_INFO is 'store:9000': it must start with http(s)://",
        ),
    ],
)
def test_what_is_wrong_is_named(env: Mapping[str, str], said: str) -> None:
    found = faults({**MAIN, **env})
    assert any(said in fault for fault in found), found
    assert not any(SECRET in fault for fault in found)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"BUCKET": ""}, "STORAGE_B__BUCKET is not set"),
        ({"S3_ACCESS_KEY": "k"}, "STORAGE_B__S3_SECRET_KEY is not set"),
        (
            {"S3_KEYS": "secret"},
            "STORAGE_B__S3_ACCESS_KEY and STORAGE_B__S3_SECRET_KEY are not set: the storage",
        ),
        ({"S3_BUCKET_INFO": SECRET}, "STORAGE_B__S3_BUCKET_INFO must be the BucketInfo"),
        ({"S3_ENDPOINT": "store:9000"}, "STORAGE_B__S3_ENDPOINT is 'store:9000'"),
        ({"S3_CA_BUNDLE": "/ca.crt"}, "STORAGE_B__S3_CA_BUNDLE holds no certificate"),
        ({"S3_PATIENCE": "x", "S3_SSE": "y"}, "STORAGE_B__S3_PATIENCE is 'x'"),
        (
            {"S3_ACCESS_KEY": "k\n", "S3_SECRET_KEY": f"{SECRET}\n"},
            "write the value without it; STORAGE_B__S3_SECRET_KEY holds a character",
        ),
    ],
)
def test_what_is_wrong_with_a_further_storage_is_its_own_fault(
    env: Mapping[str, str], said: str
) -> None:
    named = {f"STORAGE_B__{name}": value for name, value in {"BUCKET": "b", **env}.items()}
    reader = EnvReader(
        {**MAIN, "KSNAPSHOT_STORAGES": "main,b,c", "STORAGE_C__BUCKET": "c", **named}
    )
    reader.check_text(logins=set(), with_lines=variables_with_lines(reader.env))
    first, second, third = read_storages(reader)
    assert said in second.fault
    assert second.fault.count("does not print") in {0, 2}
    assert (first.fault, third.fault, reader.faults) == ("", "", [])
    assert SECRET not in second.fault


def test_a_storage_without_a_secret_is_gone_to_by_identity() -> None:
    env = {**MAIN, "KSNAPSHOT_STORAGES": "main,b", "STORAGE_B__BUCKET": "b"}
    keys = {"STORAGE_B__S3_ACCESS_KEY": "k", "STORAGE_B__S3_SECRET_KEY": SECRET}
    _, bare = read(env)
    _, keyed = read({**env, **keys, "STORAGE_B__S3_KEYS": "secret"})
    assert (bare.fault, bare.location.access_key) == ("", None)
    assert (keyed.fault, keyed.location.access_key) == ("", "k")


def test_storages_of_which_nothing_is_known_are_not_one_place() -> None:
    reader = EnvReader({**MAIN, "KSNAPSHOT_STORAGES": "main,b,c"})
    assert [bool(item.fault) for item in read_storages(reader)] == [False, True, True]
    assert reader.faults == []


def test_certificates_of_all_storages_may_have_lines() -> None:
    given = ["BACKEND_S3_CA_BUNDLE", "STORAGE_B__S3_CA_BUNDLE", "STORAGE_B__PATH", "BACKEND_PATH"]
    assert variables_with_lines(given) == set(given[:2])
