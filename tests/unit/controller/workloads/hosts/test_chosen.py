"""A Secret named by an annotation goes to Services of its namespace only, unless it says so."""

import base64
import json
from typing import Any

import pytest

from controller.model import names
from controller.model.kinds import SECRET
from controller.model.objects import ObjectRef
from controller.model.owner import Owner
from controller.model.status import ReadFailure, Reason, Rejected
from controller.model.view import NamespaceView, SecretData, allows_host
from controller.workloads.backup_spec import BackupSpec, build_spec
from controller.workloads.request import parse_request
from controller.workloads.workload import Workload
from tests.fakes.worlds import (
    CONTROL,
    DB,
    NS,
    Document,
    asks,
    cluster,
    one_pass,
    owner,
    pod,
    secret,
    service,
    settings,
    small,
    states,
)

LOST = ReadFailure(Reason.UNAVAILABLE, "500")
NOT_ALLOWED = Reason.SECRET_NOT_ALLOWED
ELSEWHERE = service("elsewhere", type="ExternalName", externalName="evil.example.com")
HEADLESS = service("shards", clusterIP="None", app="clickhouse")
SERVICES = (service(), ELSEWHERE, HEADLESS)
OWN_LOGIN: Document = {
    "spec": {
        "containers": [
            {
                "name": "database",
                "env": [
                    {"name": "POSTGRES_PASSWORD", "value": "p"},
                    {"name": "CLICKHOUSE_USER", "value": "u"},
                ],
            }
        ]
    }
}


def made(
    says: dict[str, str], *, allows: bool = False, services: Any = SERVICES, hosts: str = ""
) -> BackupSpec | Rejected:
    says = {"engine": "postgresql", "database": "d"} | says
    found = {"username": "u", "password": "p"}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in found.items()}
    view = NamespaceView(
        name=NS,
        exists=True,
        pods=(),
        services=services,
        owners={},
        contents={
            ObjectRef(kind=SECRET, name="s"): SecretData(data=data, allows_host=allows),
            ObjectRef(kind=SECRET, name="ca"): SecretData(data={"ca.crt": "eA=="}),
        },
    )
    asked = parse_request(asks(type=says.pop("engine"), **says), settings(HOSTS_ALLOWED=hosts))
    workload = Workload(
        owner=Owner(namespace=NS, ref=ObjectRef(kind="StatefulSet", name="db")),
        pods=(pod(owner()) | OWN_LOGIN,),
        request=asked,
        type_by_template=True,
    )
    return build_spec(workload, view)


CLICKHOUSE = {"engine": "clickhouse", "service": "db"}


@pytest.mark.parametrize("annotation", ["credentials_secret", "restore_credentials_secret"])
@pytest.mark.parametrize(
    ("says", "services", "refused"),
    [
        ({}, SERVICES, None),
        ({"service": "db"}, SERVICES, None),
        ({"host": "evil.example.com"}, SERVICES, NOT_ALLOWED),
        ({"host": "10.0.0.7"}, SERVICES, NOT_ALLOWED),
        # A Service of the control namespace, where the job runs, and one of another namespace.
        ({"host": "db"}, SERVICES, NOT_ALLOWED),
        ({"host": "db.other.svc.cluster.local"}, SERVICES, NOT_ALLOWED),
        ({"host": f"db.{NS}.svc.evil.example.com"}, SERVICES, NOT_ALLOWED),
        ({"host": f"evil.example.com.{NS}.svc"}, SERVICES, NOT_ALLOWED),
        ({"host": f"none.{NS}.svc"}, SERVICES, NOT_ALLOWED),
        # A host that is a Service of the namespace is as good as that Service.
        ({"host": f"db.{NS}.svc.cluster.local"}, SERVICES, None),
        ({"host": f"DB.{NS}.svc."}, SERVICES, None),
        ({"host": f"db.{NS}.svc"}, LOST, Reason.UNAVAILABLE),
        # Another name for a host of anybody's choice.
        ({"service": "elsewhere"}, SERVICES, NOT_ALLOWED),
        ({"host": f"elsewhere.{NS}.svc.cluster.local"}, SERVICES, NOT_ALLOWED),
        # Where the host is no annotation's, what another one lists counts, too.
        (CLICKHOUSE | {"shards": "evil.example.com:9000"}, SERVICES, NOT_ALLOWED),
        (CLICKHOUSE | {"shards": "[2001:db8::1]:9000"}, SERVICES, NOT_ALLOWED),
        (CLICKHOUSE | {"shards": f"a.shards.{NS}.svc; evil:1"}, SERVICES, NOT_ALLOWED),
        (
            CLICKHOUSE | {"shards": f"a.shards.{NS}.svc,b.shards.{NS}.svc:9000; db.{NS}.svc"},
            SERVICES,
            None,
        ),
    ],
)
def test_a_named_secret_goes_to_a_service_only(
    annotation: str, says: dict[str, str], services: Any, refused: Reason | None
) -> None:
    found = made(says | {annotation: "s"}, services=services)
    assert (found.reason if isinstance(found, Rejected) else None) is refused
    if services is not LOST:
        allowed = made(says | {annotation: "s"}, services=services, allows=True)
        assert isinstance(allowed, BackupSpec)
    # What the container has itself is whose pod it is, and certificates are no secret.
    own = made(says | {"ca_secret": "ca"}, services=services)
    assert isinstance(own, BackupSpec) or services is LOST


def test_the_message_names_secret_annotation_and_label_and_no_login() -> None:
    found = made({"host": "evil.example.com", "credentials_secret": "s"})
    assert isinstance(found, Rejected)
    for part in ("Secret/s", "/host", "/credentials-secret", f'{names.ALLOW_HOST_LABEL}: "true"'):
        assert part in found.message


HOST_NOT_ALLOWED = Reason.HOST_NOT_ALLOWED
METADATA = service("metadata", type="ExternalName", externalName="169.254.169.254")


@pytest.mark.parametrize(
    ("says", "allowed", "refused"),
    [
        ({"host": "db.example.com"}, None, None),
        ({"host": "169.254.169.254"}, None, HOST_NOT_ALLOWED),
        ({"host": "2130706433"}, None, HOST_NOT_ALLOWED),
        ({"host": "localhost"}, ["*"], HOST_NOT_ALLOWED),
        ({"service": "metadata"}, None, HOST_NOT_ALLOWED),
        ({"service": "elsewhere"}, None, None),
        (CLICKHOUSE | {"shards": "a:9000,[::1]:9000"}, None, HOST_NOT_ALLOWED),
        (CLICKHOUSE | {"shards": "::1"}, None, HOST_NOT_ALLOWED),
        (CLICKHOUSE | {"shards": "0x7f.1:9000"}, None, HOST_NOT_ALLOWED),
        (CLICKHOUSE | {"shards": "a.example.com:9000"}, None, None),
        # As an operator narrows it.
        ({"host": "db.example.com"}, ["*.example.com"], None),
        ({"host": "db.example.org"}, ["*.example.com"], HOST_NOT_ALLOWED),
        ({"service": "elsewhere"}, ["*.example.org"], HOST_NOT_ALLOWED),
        ({"service": "db"}, [], None),
        ({}, [], None),
        ({"host": f"db.{NS}.svc.cluster.local"}, [], None),
        ({"host": "db.other.svc.cluster.local"}, [], HOST_NOT_ALLOWED),
        (CLICKHOUSE | {"shards": "a.example.org"}, ["*.example.com"], HOST_NOT_ALLOWED),
    ],
)
def test_where_a_dump_may_go(
    says: dict[str, str], allowed: list[str] | None, refused: Reason | None
) -> None:
    hosts = "" if allowed is None else json.dumps(allowed)
    found = made(says, services=(*SERVICES, METADATA), hosts=hosts)
    assert (found.reason if isinstance(found, Rejected) else None) is refused
    if isinstance(found, Rejected):
        blamed = next(key for key in ("host", "shards", "service") if key in says)
        assert f"{names.PREFIX}{blamed} names" in found.message


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, False),
        ({names.ALLOW_HOST_LABEL: "true"}, True),
        ({names.ALLOW_HOST_LABEL: "True"}, False),
        ({names.ALLOW_HOST_LABEL: ""}, False),
    ],
)
def test_only_the_exact_label_counts(labels: Any, expected: Any) -> None:
    assert allows_host({"metadata": {"labels": labels}}) is expected


@pytest.mark.parametrize("label", ["", "true"])
def test_a_pass_reads_the_label_with_the_secret(label: str) -> None:
    says = asks(host="db.example.com", credentials_secret="backup")
    named = secret("backup", NS, username="u", password="p")
    named["metadata"]["labels"] = {names.ALLOW_HOST_LABEL: label}
    api = cluster(*small(says), named)
    result = one_pass(api)
    assert states(result) == {
        "demo/db": "wanted Annotated" if label else "unknown SecretNotAllowed"
    }
    assert (("CronJob", CONTROL, DB) in api.items) is bool(label)


def test_a_label_that_is_taken_away_keeps_the_cronjob_as_it_is() -> None:
    says = asks(host="evil.example.com", credentials_secret="backup")
    named = secret("backup", NS, username="u", password="p")
    of = cluster(*small(says), named)
    of.items["Secret", NS, "backup"]["metadata"]["labels"] = {names.ALLOW_HOST_LABEL: "true"}
    one_pass(of)
    before = of.items["CronJob", CONTROL, DB]
    of.put(named)
    result = one_pass(of, minutes=10)
    assert "unknown" in states(result)["demo/db"]
    assert of.items["CronJob", CONTROL, DB] == before
