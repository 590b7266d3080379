import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.jobs import DumpJob
from dumpers.contract.result import PARTIAL, RESULT_MAX_BYTES, DumpResult, StorageResult
from dumpers.contract.sharing import Share
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

ENV = {
    "KSNAPSHOT_ENGINE": "postgresql",
    "BACKEND_TYPE": "s3",
    "BACKEND_PATH": "/ksnapshot/",
    "BACKEND_BUCKET": "backups",
    "POSTGRESQL_HOST": "db.demo.svc.cluster.local",
    "POSTGRESQL_PORT": "5433",
    "POSTGRESQL_USERNAME": "app",
    "POSTGRESQL_PASSWORD": "hunter2",
    "POSTGRESQL_DATABASE": "shop",
    "HOSTNAME": "ksnapshot-postgresql-demo-db-c11184c0-29384756-x7k2p",
}
PLAIN = {"succeeded": True, "exit_code": 0, "reason": "", "message": ""}
RESULT = DumpResult(succeeded=True, exit_code=0, reason="Succeeded", message="")


def test_a_job_of_0_6_0_has_all_it_needs() -> None:
    job = DumpJob.from_env(ENV, ENGINES)
    assert job.engine.type == "postgresql"
    assert (job.connection.host, job.connection.port) == ("db.demo.svc.cluster.local", 5433)
    assert (job.location.path, job.location.bucket) == ("ksnapshot", "backups")
    assert (job.cluster, job.workload) == ("default", "")
    assert job.cronjob == "ksnapshot-postgresql-demo-db-c11184c0"
    assert (job.recipients, job.deadline, job.part_size) == ((), None, None)


@pytest.mark.parametrize(
    ("pod", "cronjob"),
    [
        ("ksnapshot-mysql-demo-db-c11184c0-29384756-x7k2p", "ksnapshot-mysql-demo-db-c11184c0"),
        # Cut by Kubernetes to 58 characters before the random part.
        (
            "ksnapshot-mysql-team-a-really-long-workload-81358c52-29384x7k2p",
            "ksnapshot-mysql-team-a-really-long-workload-81358c52",
        ),
        ("by-hand-x7k2p", "by-hand-x7k2p"),
    ],
)
def test_the_pod_names_its_cronjob_where_nobody_else_does(pod: str, cronjob: str) -> None:
    assert DumpJob.from_env(ENV | {"HOSTNAME": pod}, ENGINES).cronjob == cronjob
    told = DumpJob.from_env(ENV | {"HOSTNAME": pod, "KSNAPSHOT_CRONJOB": "told"}, ENGINES)
    assert told.cronjob == "told"


def test_the_names_in_the_containers_own_environment_serve_too() -> None:
    env = {name: value for name, value in ENV.items() if "POSTGRESQL_" not in name}
    env |= {"POSTGRESQL_HOST": "db", "POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p"}
    connection = DumpJob.from_env(env | {"POSTGRES_DB": "d"}, ENGINES).connection
    assert (connection.username, connection.password, connection.database) == ("u", "p", "d")
    assert connection.port == 5432


def searching(**values: str) -> dict[str, str]:
    other = {name: value for name, value in ENV.items() if not name.startswith("POSTGRESQL_")}
    return other | {"KSNAPSHOT_ENGINE": "elasticsearch", "ELASTICSEARCH_HOST": "es"} | values


def test_elasticsearch_needs_no_login_and_takes_either_kind() -> None:
    job = DumpJob.from_env(searching(), ENGINES)
    assert (job.connection.username, job.connection.api_key) == ("", "")
    assert (job.connection.port, job.numbers) == (9200, {"ELASTICDUMP_LIMIT": 1000})
    job = DumpJob.from_env(
        searching(ELASTICSEARCH_API_KEY="hunter2", ELASTICDUMP_LIMIT="50"), ENGINES
    )
    assert (job.connection.api_key, job.numbers) == ("hunter2", {"ELASTICDUMP_LIMIT": 50})
    assert "hunter2" not in repr(job)


@pytest.mark.parametrize("text", ["0", "-1", "ten", "1000001", "9" * 5000])
def test_a_number_out_of_its_range_is_a_fault(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ELASTICDUMP_LIMIT"):
        DumpJob.from_env(searching(ELASTICDUMP_LIMIT=text), ENGINES)


def test_a_policy_of_retention_is_recorded_whatever_it_says() -> None:
    given = {"KSNAPSHOT_RETENTION": "keep-moon=1", "KSNAPSHOT_TIME_ZONE": "Europe/Paris"}
    job = DumpJob.from_env(ENV | given, ENGINES)
    assert (job.retention, job.time_zone) == ("keep-moon=1", "Europe/Paris")
    assert DumpJob.from_env(ENV, ENGINES).retention == ""


def test_a_required_proof_is_recorded_whatever_it_says() -> None:
    job = DumpJob.from_env(ENV | {"KSNAPSHOT_REQUIRED_PROOF": "seance"}, ENGINES)
    assert job.required_proof == "seance"
    assert DumpJob.from_env(ENV, ENGINES).required_proof == ""


@pytest.mark.parametrize(
    ("required", "verify", "further"),
    [
        ("", "", ""),
        ("", "read-back", ""),
        ("read", "", ""),
        ("read", "read-back", "read"),
        ("drilled", "", ""),
        ("drilled", "read-back", "read"),
        ("seance", "read-back", "seance"),
    ],
)
def test_a_further_storage_asks_for_no_proof_that_nothing_brings_there(
    required: str, verify: str, further: str
) -> None:
    env = {
        "KSNAPSHOT_STORAGES": "main,near",
        "STORAGE_NEAR__BUCKET": "near",
        "KSNAPSHOT_REQUIRED_PROOF": required,
        "KSNAPSHOT_VERIFY": verify,
    }
    job = DumpJob.from_env(ENV | env, ENGINES)
    assert [job.proof_required_in(item.name) for item in job.storages] == [required, further]


def test_every_fault_is_listed_at_once() -> None:
    faulty = {
        "KSNAPSHOT_ENGINE": "postgresql",
        "BACKEND_TYPE": "gcs",
        "BACKEND_S3_ENDPOINT": "minio:9000",
        "BACKEND_S3_ACCESS_KEY": "only-one",
        "ENCRYPTION_ENABLED": "true",
        "POSTGRESQL_PORT": "70000",
        "KSNAPSHOT_DEADLINE_SECONDS": "soon",
        "KSNAPSHOT_PART_SIZE_MIB": "1",
        "KSNAPSHOT_VERIFY": "twice",
        "KSNAPSHOT_ACCEPT": "standby, everything",
        "BACKEND_S3_PATH_STYLE": "yes",
        "BACKEND_S3_CA_BUNDLE": "/etc/ca.crt",
        "BACKEND_S3_STORAGE_CLASS": "cold please",
        "BACKEND_S3_SSE": "aes",
        "BACKEND_S3_TAGS": "a",
        "BACKEND_S3_MAX_BANDWIDTH": "10MB",
        "BACKEND_S3_PATIENCE": "5 minutes",
    }
    with pytest.raises(ConfigurationError) as caught:
        DumpJob.from_env(faulty, ENGINES)
    named = {fault.split()[0] for fault in caught.value.faults}
    assert named == {
        "BACKEND_TYPE",
        "BACKEND_S3_ENDPOINT",
        "BACKEND_S3_SECRET_KEY",
        "BACKEND_BUCKET",
        "ENCRYPTION_RECIPIENT",
        "POSTGRESQL_HOST",
        "POSTGRESQL_PORT",
        "POSTGRESQL_USERNAME",
        "POSTGRESQL_PASSWORD",
        "POSTGRESQL_DATABASE",
        "HOSTNAME",
        "KSNAPSHOT_DEADLINE_SECONDS",
        "KSNAPSHOT_PART_SIZE_MIB",
        "KSNAPSHOT_VERIFY",
        "KSNAPSHOT_ACCEPT:",
        "BACKEND_S3_PATH_STYLE",
        "BACKEND_S3_CA_BUNDLE",
        "BACKEND_S3_STORAGE_CLASS",
        "BACKEND_S3_SSE",
        "BACKEND_S3_TAGS",
        "BACKEND_S3_MAX_BANDWIDTH",
        "BACKEND_S3_PATIENCE",
    }
    assert "only-one" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKEND_S3_ACCESS_KEY", "AKEXAMPLE\n"),
        ("BACKEND_S3_SECRET_KEY", "secretkey1\r\n"),
        ("BACKEND_S3_CA_BUNDLE", "-----BEGIN PRIVATE KEY-----\nsecretkey1\n"),
        ("BACKEND_S3_CA_BUNDLE", "secretkey1\n"),
        ("BACKEND_S3_REGION", "eu-west-3\n"),
        ("BACKEND_S3_ENDPOINT", "https://user:secretkey1@store"),
        ("ENCRYPTION_RECIPIENT", "# a whole file\nsecretkey1"),
        ("POSTGRESQL_PASSWORD", "secretkey1\udcff"),
        ("KSNAPSHOT_DEADLINE_SECONDS", "9" * 5000),
    ],
)
def test_values_that_would_break_later_are_told_without_showing_them(name: str, value: str) -> None:
    keys = {"BACKEND_S3_ACCESS_KEY": "a", "BACKEND_S3_SECRET_KEY": "b"}
    with pytest.raises(ConfigurationError, match=name) as caught:
        DumpJob.from_env(ENV | keys | {name: value}, ENGINES)
    assert "secretkey1" not in str(caught.value)
    assert "AKEXAMPLE" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_s3_options() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    options = {
        "BACKEND_S3_PATH_STYLE": "false",
        "BACKEND_S3_CA_BUNDLE": certificate,
        "BACKEND_S3_STORAGE_CLASS": "STANDARD_IA",
        "BACKEND_S3_SSE": "aws:kms",
        "BACKEND_S3_SSE_KMS_KEY_ID": "alias/backups",
        "BACKEND_S3_TAGS": "team=a, note = b=c ,",
        "BACKEND_S3_MAX_BANDWIDTH": "10Mi",
        "BACKEND_S3_PATIENCE": "10m",
        "KSNAPSHOT_VERIFY": "read-back",
    }
    job = DumpJob.from_env(ENV | options, ENGINES)
    location = job.location
    assert (location.path_style, location.ca_bundle) == (False, certificate)
    assert (location.storage_class, location.sse) == ("STANDARD_IA", "aws:kms")
    assert location.sse_kms_key_id == "alias/backups"
    assert location.tags == (("team", "a"), ("note", "b=c"))
    assert location.max_bandwidth == 10 << 20
    assert location.patience == 600
    assert job.verify == "read-back"
    plain = DumpJob.from_env(ENV | dict.fromkeys(options, ""), ENGINES)
    assert plain.location.path_style is None
    assert plain.location.patience == 300
    assert (plain.location.tags, plain.location.max_bandwidth, plain.verify) == ((), None, "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"BACKEND_S3_TAGS": "a=1,a=2"}, "'a=2': its key is there twice"),
        ({"BACKEND_S3_TAGS": "aws:x=1"}, "the store's own"),
        ({"BACKEND_S3_TAGS": "=1"}, "key=value"),
        ({"BACKEND_S3_TAGS": "a=" + "x" * 257}, "256 of value"),
        ({"BACKEND_S3_TAGS": "a=<b>"}, "it may hold letters"),
        ({"BACKEND_S3_TAGS": ",".join(f"t{n}=" for n in range(11))}, "at most 10"),
        ({"BACKEND_S3_SSE_KMS_KEY_ID": "k"}, "BACKEND_S3_SSE is not aws:kms"),
        ({"BACKEND_S3_SSE_KMS_KEY_ID": "k", "BACKEND_S3_SSE": "AES256"}, "is not aws:kms"),
        ({"BACKEND_S3_MAX_BANDWIDTH": "1Ki"}, "at least 16Ki"),
        ({"BACKEND_S3_MAX_BANDWIDTH": "0"}, "at least 16Ki"),
        ({"BACKEND_S3_MAX_BANDWIDTH": "9" * 5000}, "at least 16Ki"),
        ({"BACKEND_S3_PATIENCE": "-1"}, "whole number of seconds"),
        ({"BACKEND_S3_PATIENCE": "25h"}, "at most 24h"),
        ({"BACKEND_S3_PATIENCE": "9" * 5000}, "at most 24h"),
        (
            {"KSNAPSHOT_VERIFY": "read-back", "BACKEND_S3_STORAGE_CLASS": "GLACIER"},
            "drop one of the two",
        ),
    ],
)
def test_an_s3_option_that_cannot_be_is_told(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        DumpJob.from_env(ENV | changes, ENGINES)
    assert len(str(caught.value)) < 300


def test_the_compression_is_gzip_unless_it_is_told() -> None:
    for told, meant in (("", "gzip"), ("gzip", "gzip"), ("zstd", "zstd")):
        job = DumpJob.from_env(ENV | {"KSNAPSHOT_COMPRESSION": told}, ENGINES)
        assert job.compression == meant
    with pytest.raises(ConfigurationError, match="is 'xz': it must be gzip or zstd"):
        DumpJob.from_env(ENV | {"KSNAPSHOT_COMPRESSION": "xz"}, ENGINES)


def test_a_further_storage_that_cannot_be_read_back_is_found_before_the_dump() -> None:
    env = {
        "KSNAPSHOT_STORAGES": "main,ice,near",
        "STORAGE_ICE__BUCKET": "ice",
        "STORAGE_ICE__S3_STORAGE_CLASS": "DEEP_ARCHIVE",
        "STORAGE_NEAR__BUCKET": "near",
    }
    job = DumpJob.from_env(ENV | env | {"KSNAPSHOT_VERIFY": "read-back"}, ENGINES)
    first, ice, near = job.storages
    assert (first.fault, near.fault) == ("", "")
    assert ice.fault == (
        "KSNAPSHOT_VERIFY is read-back, but objects in STORAGE_ICE__S3_STORAGE_CLASS=DEEP_ARCHIVE "
        "cannot be read: drop one of the two"
    )
    assert not any(item.fault for item in DumpJob.from_env(ENV | env, ENGINES).storages)


def test_an_unknown_engine_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'oracle': it must be one of: .*postgresql"):
        DumpJob.from_env(ENV | {"KSNAPSHOT_ENGINE": "oracle"}, ENGINES)


@pytest.mark.parametrize(
    ("enabled", "recipient", "expected"),
    [
        ("true", "age1a", ("age1a",)),
        ("true", " age1a , age1b,", ("age1a", "age1b")),
        ("True", "age1a", ()),
        ("", "age1a", ()),
    ],
)
def test_encryption_is_on_only_when_exactly_true(
    enabled: str, recipient: str, expected: tuple[str, ...]
) -> None:
    env = ENV | {"ENCRYPTION_ENABLED": enabled, "ENCRYPTION_RECIPIENT": recipient}
    assert DumpJob.from_env(env, ENGINES).recipients == expected


@pytest.mark.parametrize("before", ["", "age1a,"])
def test_a_private_key_instead_of_a_recipient_is_refused_and_not_shown(before: str) -> None:
    key = "AGE-SECRET-KEY-1QQQHUSHHUSH"
    env = ENV | {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": before + key}
    with pytest.raises(ConfigurationError, match="ENCRYPTION_RECIPIENT must never hold") as caught:
        DumpJob.from_env(env, ENGINES)
    assert "HUSH" not in str(caught.value)


def test_secrets_are_not_in_the_repr() -> None:
    keys = {"BACKEND_S3_ACCESS_KEY": "accesskey1", "BACKEND_S3_SECRET_KEY": "secretkey1"}
    text = repr(DumpJob.from_env(ENV | keys, ENGINES))
    assert not [secret for secret in ("hunter2", "accesskey1", "secretkey1") if secret in text]


@given(
    message=st.text(max_size=6000),
    keys=st.lists(st.text(max_size=1024), max_size=30).map(tuple),
)
def test_a_result_always_fits_and_comes_back(message: str, keys: tuple[str, ...]) -> None:
    result = replace(RESULT, message=message, keys=keys, key_count=len(keys))
    text = result.to_json()
    assert len(text.encode("utf-8", "surrogatepass")) <= RESULT_MAX_BYTES
    read = DumpResult.from_json(text)
    assert read.key_count == len(keys)
    assert read == result or read.keys == () or read.message.endswith("…")


def test_a_result_says_which_storages_have_the_backup() -> None:
    why = "cannot write " + "x" * 400 + ": the store is full"
    missed = StorageResult.given_up("offsite", reason="StorageFailed", message=why)
    assert missed.message.startswith("cannot write x")
    assert missed.message.endswith("x: the store is full")
    assert len(missed.message) == 301
    stored = StorageResult(name="main", stored=True)
    result = replace(RESULT, outcome=PARTIAL, storages=(stored, missed))
    document = json.loads(result.to_json())
    assert document["outcome"] == "partial"
    assert document["storages"][0] == {"name": "main", "stored": True}
    assert DumpResult.from_json(result.to_json()) == result


def test_a_result_of_many_storages_fits_without_their_messages() -> None:
    failed = [
        StorageResult.given_up(f"s{number}", reason="StorageFailed", message="ö" * 300)
        for number in range(40)
    ]
    text = replace(RESULT, message="short", storages=tuple(failed)).to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = DumpResult.from_json(text)
    assert [item.name for item in read.storages] == [item.name for item in failed]
    assert (read.message, {item.message for item in read.storages}) == ("short", {""})


def test_a_result_of_one_storage_says_nothing_of_storages() -> None:
    assert not {"outcome", "storages"} & json.loads(RESULT.to_json()).keys()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "{}", '{"succeeded": true}', "null", "[" * 4000),
        '{"succeeded": true, "exit_code": "0", "reason": "", "message": ""}',
        '{"succeeded": true, "exit_code": 0, "reason": "", "message": []}',
        '{"succeeded": true, "exit_code": 0, "reason": "", "message": "", "keys": [1]}',
        '{"succeeded": true, "exit_code": 0, "reason": "", "message": "", "keys": 1}',
        '{"succeeded": true, "exit_code": 0, "reason": "", "message": "", "outcome": 1}',
        '{"succeeded": true, "exit_code": 0, "reason": "", "message": "", "storages": 1}',
        json.dumps(PLAIN | {"storages": ["main"]}),
        json.dumps(PLAIN | {"storages": [{"name": "main", "stored": 1}]}),
        json.dumps(PLAIN | {"storages": [{"name": 1, "stored": True}]}),
    ],
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no DumpResult"):
        DumpResult.from_json(text)


def test_half_a_surrogate_pair_does_not_keep_a_result_from_being_written() -> None:
    text = replace(RESULT, message="bad \ud800 text").to_json()
    assert DumpResult.from_json(text).message == "bad ? text"


def test_a_newer_result_is_still_read() -> None:
    document = json.loads(RESULT.to_json()) | {"version": 2, "novelty": 1}
    assert DumpResult.from_json(json.dumps(document)) == RESULT


SHARED = {
    **{name: value for name, value in ENV.items() if "POSTGRESQL_" not in name},
    "KSNAPSHOT_ENGINE": "clickhouse",
    "CLICKHOUSE_HOST": "ch",
    "KSNAPSHOT_SHARDS": "3",
    "KSNAPSHOT_JOB": "ksnapshot-clickhouse-demo-db-c11184c0-29384756",
    "KSNAPSHOT_JOB_UID": "uid-1",
    "JOB_COMPLETION_INDEX": "2",
    "HOSTNAME": "ksnapshot-clickhouse-demo-db-c11184c0-29384756-2",
}


def test_pods_of_a_shared_run_go_by_the_name_of_their_job() -> None:
    job = DumpJob.from_env(SHARED, ENGINES)
    assert job.share == Share(
        index=2,
        count=3,
        job="uid-1",
        name="ksnapshot-clickhouse-demo-db-c11184c0-29384756",
    )
    assert job.share.number == 3
    assert job.host == job.share.name
    # What only checks is no Indexed Job.
    checking = DumpJob.from_env(SHARED | {"JOB_COMPLETION_INDEX": ""}, ENGINES).share
    assert checking is not None
    assert checking.index is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX is '3': it must be 0 to 2"),
        ({"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX is 'x': it must be 0 to 2"),
        ({"KSNAPSHOT_SHARDS": "501"}, "KSNAPSHOT_SHARDS is 501: at most 500 pods"),
        ({"KSNAPSHOT_SHARDS": "all"}, "KSNAPSHOT_SHARDS is 'all': it must be a whole number"),
        ({"KSNAPSHOT_JOB": ""}, "KSNAPSHOT_JOB is not set"),
        ({"KSNAPSHOT_JOB_UID": ""}, "KSNAPSHOT_JOB_UID is not set"),
        ({"KSNAPSHOT_ENGINE": "mysql", "MYSQL_HOST": "db"}, "mysql has no shards to spread"),
        (
            {"KSNAPSHOT_STORAGES": "main,offsite", "KSNAPSHOT_OFFSITE_S3_BUCKET": "b"},
            "writes to one storage",
        ),
    ],
)
def test_a_share_that_cannot_be_is_refused(changes: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        DumpJob.from_env(SHARED | changes, ENGINES)
