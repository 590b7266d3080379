import base64
from dataclasses import replace
from typing import Any

import pytest

from controller.manifests import job_env
from controller.manifests.secret import build_secret
from controller.model.kinds import SECRET
from controller.model.objects import ObjectRef
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import NamespaceView, SecretData
from controller.settings.choices import Verify
from controller.workloads.backup_spec import BackupSpec, build_spec
from controller.workloads.request import Request, parse_request
from controller.workloads.verifying import check_default
from controller.workloads.workload import Workload
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.jobs import DumpJob
from dumpers.contract.storages import variables as storage_variables
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError
from tests.fakes.worlds import NS, asks, owner, pod, request, service, settings

LOST = ReadFailure(Reason.UNAVAILABLE, "500")
LOGIN = {"username": "u", "password": "päss$(word)", "database": "d", "api_key": ""}


def spec(
    engine: str = "postgresql", services: Any = (), key: str = "", **says: str
) -> BackupSpec | Rejected:
    """The backup of a database whose login a Secret holds."""
    login = LOGIN | {"api_key": key}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in login.items()}
    view = NamespaceView(
        name=NS,
        exists=True,
        pods=(),
        services=services,
        owners={},
        contents={ObjectRef(kind=SECRET, name="login"): SecretData(data=data, allows_host=True)},
    )
    workload = Workload(
        owner=Owner(namespace=NS, ref=ObjectRef(kind="StatefulSet", name="db")),
        pods=(pod(owner()),),
        request=request(engine, credentials_secret="login", **says),
        type_by_template=True,
    )
    return build_spec(workload, view)


@pytest.mark.parametrize(
    ("says", "services", "expected"),
    [
        ({}, (service(),), "db.demo.svc.cluster.local:5432"),
        ({}, (), Reason.SERVICE_MISSING),
        ({}, LOST, Reason.UNAVAILABLE),
        # By hand.
        ({"service": "ro"}, (service(), service("ro", app="x")), "ro.demo.svc.cluster.local:5432"),
        ({"service": "none"}, (service(),), Reason.SERVICE_MISSING),
        ({"service": "db"}, LOST, Reason.UNAVAILABLE),
        ({"host": "db.example.com"}, LOST, "db.example.com:5432"),
        ({"host": "10.0.0.7", "port": "6432"}, (), "10.0.0.7:6432"),
        ({"host": "a", "service": "none"}, (service(),), "a:5432"),
        # The port that is asked for is the one that a Service is preferred for.
        (
            {"port": "6432"},
            (service(), service("pooler", port=6432)),
            "pooler.demo.svc.cluster.local:6432",
        ),
        ({"port": "6432"}, (service(),), "db.demo.svc.cluster.local:6432"),
    ],
)
def test_where_the_database_answers(says: dict[str, str], services: Any, expected: Any) -> None:
    found = spec(services=services, **says)
    if isinstance(found, Rejected):
        assert found.reason is expected
    else:
        assert f"{found.host}:{found.port}" == expected


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
@pytest.mark.parametrize("key", ["", "an-api-key"])
def test_the_job_understands_what_the_controller_builds(engine: EngineSpec, key: str) -> None:
    found = spec(engine.type, (service(port=engine.port),), key)
    assert isinstance(found, BackupSpec)
    mirrored = build_secret(found, settings())
    assert mirrored
    given = {"KSNAPSHOT_ENGINE": engine.type, "HOSTNAME": "pod", "BACKEND_BUCKET": "bucket"}
    for entry in job_env.build_env(found, settings(), "cluster"):
        source = entry.get("valueFrom", {}).get("secretKeyRef")
        if source:
            given[entry["name"]] = base64.b64decode(mirrored["data"][source["key"]]).decode()
        elif "value" in entry:
            given[entry["name"]] = entry["value"]
    connection = DumpJob.from_env(given, ENGINES).connection
    assert (connection.host, connection.port) == ("db.demo.svc.cluster.local", engine.port)
    if key and engine.type == "elasticsearch":
        assert (connection.api_key, connection.username, connection.password) == (key, "", "")
    else:
        assert (connection.username, connection.password) == ("u", LOGIN["password"])
        assert connection.api_key == ""
    assert connection.database == ("" if engine.type == "elasticsearch" else "d")
    assert LOGIN["password"] not in repr(found)


def test_every_s3_option_and_the_verification_reach_the_job() -> None:
    found = spec(services=(service(),))
    assert isinstance(found, BackupSpec)
    verified = replace(found, request=request(verify="read-back"))
    asked = settings(BACKUP_SECRET_NAME="keys")
    names = [entry["name"] for entry in job_env.build_env(verified, asked, "cluster")]
    options = {
        value
        for name, value in vars(storage_variables).items()
        if name.startswith("S3_") and value != storage_variables.S3_BUCKET_INFO
    }
    assert options | {*storage_variables.PROXIES, variables.VERIFY} <= set(names)
    assert len(set(names)) == len(names)
    assert variables.VERIFY not in {
        entry["name"] for entry in job_env.build_env(found, asked, "cluster")
    }
    accepting = replace(found, request=request(accept="standby, foreign-tables"))
    given = {entry["name"]: entry.get("value") for entry in job_env.build_env(accepting, asked, "")}
    assert given[variables.ACCEPT] == "foreign-tables,standby"
    refused = parse_request(asks(accept="all"), settings())
    assert isinstance(refused, Rejected)
    assert "'all' is no code of a note" in refused.message
    by_default = parse_request(asks(), settings(BACKUP_VERIFY="read-back"))
    assert isinstance(by_default, Request)
    assert by_default.verify is Verify.READ_BACK


def test_a_compression_other_than_gzip_reaches_the_job() -> None:
    found = spec(services=(service(),))
    assert isinstance(found, BackupSpec)
    for told, default, meant in (
        ("", "gzip", None),
        ("gzip", "zstd", None),
        ("", "zstd", "zstd"),
        ("zstd", "gzip", "zstd"),
    ):
        asked = settings(BACKUP_COMPRESSION=default)
        made = parse_request(asks(**({"compression": told} if told else {})), asked)
        assert isinstance(made, Request)
        env = job_env.build_env(replace(found, request=made), asked, "")
        given = {entry["name"]: entry.get("value") for entry in env}
        assert given.get(variables.COMPRESSION) == meant
    refused = parse_request(asks(compression="brotli"), settings())
    assert isinstance(refused, Rejected)
    assert "must be one of: gzip, zstd" in refused.message


def test_a_policy_of_retention_reaches_the_job_with_its_time_zone() -> None:
    found = spec(services=(service(),))
    assert isinstance(found, BackupSpec)
    asked = settings(RETENTION_POLICY=" keep-annual=3 ")
    kept = request(retention="keep-daily=14, keep-latest=7", timezone="Europe/Paris")
    given = {
        entry["name"]: entry.get("value")
        for entry in job_env.build_env(replace(found, request=kept), asked, "")
    }
    assert given[variables.RETENTION] == "keep-last=7,keep-daily=14"
    assert given[variables.TIME_ZONE] == "Europe/Paris"
    names = {entry["name"] for entry in job_env.build_env(found, asked, "")}
    assert not names & {variables.RETENTION, variables.TIME_ZONE}
    by_default = parse_request(asks(), asked)
    assert isinstance(by_default, Request)
    assert by_default.retention == "keep-yearly=3"
    opted_out = parse_request(asks(retention="none"), asked)
    assert isinstance(opted_out, Request)
    assert opted_out.retention == "none"


def test_a_policy_that_is_none_is_rejected_with_the_place_of_its_fault() -> None:
    refused = parse_request(asks(retention="keep-last=3,keep-dayly=3"), settings())
    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.ANNOTATION_INVALID
    assert "/retention is 'keep-last=3,keep-dayly=3': is wrong in column 13" in refused.message
    assert "did you mean keep-daily?" in refused.message
    with pytest.raises(ConfigurationError, match="RETENTION_POLICY is 'keep-last=0': it keeps no"):
        settings(RETENTION_POLICY="keep-last=0")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"verify_schedule": "0 6 * * 8"}, "/verify-schedule is '0 6 * * 8': '8' is not within"),
        ({"verify_schedule": "weekly"}, "/verify-schedule is 'weekly': it has 1 fields"),
        ({"verify_schedule": "TZ=UTC 0 6 * * 0"}, "TZ is not allowed in it"),
        ({"verify_sample": "8/7"}, "/verify-sample is '8/7': must be a share of the backups"),
        ({"verify_sample": "0/3"}, "/verify-sample is '0/3': must be a share of the backups"),
        ({"verify_sample": "x"}, "/verify-sample is 'x': must be a share of the backups as n/m"),
    ],
)
def test_a_wrong_word_about_verifying_is_rejected_by_its_name(
    asked: dict[str, str], why: str
) -> None:
    refused = parse_request(asks(**asked), settings())
    assert isinstance(refused, Rejected)
    assert why in refused.message


@pytest.mark.parametrize(
    ("asked", "env", "schedule", "sample"),
    [
        ({}, {}, "", ""),
        ({"verify_schedule": "H 6 * * 0", "verify_sample": "2 / 14"}, {}, "H 6 * * 0", "2/14"),
        (
            {},
            {"VERIFY_SCHEDULE": "@weekly-random", "VERIFY_SAMPLE": "1/7"},
            "@weekly-random",
            "1/7",
        ),
        ({"verify_schedule": "none"}, {"VERIFY_SCHEDULE": "@daily"}, "", ""),
        ({"verify_schedule": "@weekly"}, {"VERIFY_SCHEDULE": "none"}, "@weekly", ""),
        ({"verify_schedule": ""}, {"VERIFY_SCHEDULE": "@daily"}, "@daily", ""),
    ],
)
def test_an_annotation_takes_the_place_of_the_operators_word_about_verifying(
    asked: dict[str, str], env: dict[str, str], schedule: str, sample: str
) -> None:
    found = parse_request(asks(**asked), settings(**env))
    assert isinstance(found, Request)
    assert (found.verify_schedule, found.verify_sample) == (schedule, sample)


def test_a_schedule_of_the_operator_that_is_none_is_told_at_the_start() -> None:
    check_default(settings())
    check_default(settings(VERIFY_SCHEDULE="@weekly-random"))
    with pytest.raises(ConfigurationError, match="VERIFY_SCHEDULE is '0 6 \\* \\* 8': '8' is not"):
        check_default(settings(VERIFY_SCHEDULE="0 6 * * 8"))
    with pytest.raises(ConfigurationError, match="VERIFY_SAMPLE is '8/7': it must be a share"):
        settings(VERIFY_SAMPLE="8/7")
