import base64
import json
from typing import Any

import pytest

from controller.client.diagnosis.redaction import Redactor, inline_secrets

S = "Tr0ub4dor&3-zz"
PLAIN = Redactor()


@pytest.mark.parametrize(
    "text",
    [
        f"connect to postgres://app:{S}@db:5432/shop failed",
        f"connect to https://{S}@git.example/x",
        "proxy http://user:p/w#d-q7@proxy:3128 away",
        "GET https://s3.example/b/k?X-Amz-Credential=q7&X-Amz-Signature=d-q7 403",
        "GET /b/k?X-Amz-Signature=d-q7",
        "AGE-SECRET-KEY-1D-Q7D-Q7D-Q7",
        "AGE-PLUGIN-YUBIKEY-1D-Q7",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nd-q7\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nd-q7",
        "Authorization: Negotiate d-q7",
        "authorization: Bearer d-q7aB9",
        "eyJhbGciOiJub25l.d-q7.d-q7",
        "token ghp_d-q7d-q7d-q7",
        "mysqldump --password=d-q7 --user=app",
        "run --api-key d-q7",
        "password: d-q7",
        "PGPASSWORD=d-q7 psql",
        "AWS_SECRET_ACCESS_KEY=d-q7",
        '{"password": "d-q7"}',
        '{"a": {"clientSecret": "d-q7", "n": 1}}',
        '[{"apiKey": "d-q7"}]',
        "ALTER ROLE app PASSWORD 'd-q7'",
    ],
)
def test_what_has_a_secrets_shape_is_taken_out(text: str) -> None:
    shown = PLAIN.text(text)
    assert "d-q7" not in shown
    assert S not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        'FATAL:  password authentication failed for user "app"',
        'pods is forbidden: User "ada" cannot list resource "pods" in namespace "production"',
        "ksnapshot/manifests/prod/ksnapshot-postgresql-production-db-8c4c635c/20260131T040506Z-3f9c/",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "https://s3.example:9000/bucket",
        "12:00:03 info dumping engine=postgresql host=db.production.svc",
        '{"message": "dump done", "seconds": 3.5, "keys": ["a", "b"]}',
        "[shop] is not there",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert PLAIN.text(text) == text


def test_a_key_of_a_store_is_known_by_its_shape() -> None:
    access, key = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert len(key) == 40
    shown = PLAIN.text(f"signed by {access} with {key} today")
    assert shown == "signed by *** with *** today"


def _pod(**more: Any) -> Any:
    container = {
        "name": "db",
        "image": "postgres:17",
        "command": ["sh", "-c", f"run {S}"],
        "args": ["dump", S],
        "env": [
            {"name": "POSTGRES_PASSWORD", "value": S},
            {"name": "POSTGRES_DB", "value": "shop"},
            {"name": "KSNAPSHOT_CLUSTER", "value": "prod"},
            {"name": "BACKEND_S3_SECRET_KEY", "value": S},
            {"name": "HTTPS_PROXY", "value": f"http://u:{S}@proxy"},
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
        ],
        "livenessProbe": {"exec": {"command": ["check", S]}},
        "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Cookie", "value": S}]}},
    }
    return {
        "metadata": {
            "name": "db-0",
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": S}),
                "vault.example/token": S,
                "ksnapshot.clickandmortar.fr/credentials-secret": "login",
            },
            "managedFields": [{"x": S}],
        },
        "spec": {
            "initContainers": [container],
            "containers": [container],
            "volumes": [
                {"name": "a", "secret": {"secretName": "login"}},
                {"name": "b", "csi": {"driver": "d", "volumeAttributes": {"pw": S}}},
            ],
            **more,
        },
    }


def test_of_a_pod_only_what_is_known_stays() -> None:
    shown = PLAIN.item(_pod())
    assert S not in json.dumps(shown)
    assert shown["metadata"]["annotations"] == {
        "kubectl.kubernetes.io/last-applied-configuration": "***",
        "vault.example/token": "***",
        "ksnapshot.clickandmortar.fr/credentials-secret": "login",
    }
    [container] = shown["spec"]["containers"]
    assert container["image"] == "postgres:17"
    assert container["args"] == ["dump", "***"]
    env = {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}
    assert env == {
        "POSTGRES_PASSWORD": "***",
        "POSTGRES_DB": "***",
        "KSNAPSHOT_CLUSTER": "prod",
        "BACKEND_S3_SECRET_KEY": "***",
        "HTTPS_PROXY": "http://***@proxy",
        "X": {"secretKeyRef": {"name": "login", "key": "password"}},
    }
    assert shown["spec"]["volumes"][0] == {"name": "a", "secret": {"secretName": "login"}}


@pytest.mark.parametrize("form", [S, base64.b64encode(S.encode()).decode(), S.replace("&", "%26")])
def test_what_is_masked_in_a_variable_is_found_elsewhere(form: str) -> None:
    known = inline_secrets([_pod()])
    assert S in known
    shown = Redactor(secrets=known).text(f"the server said {form.rstrip('=')}, and no more")
    assert shown == "the server said ***, and no more"
    assert "prod" not in known


@pytest.mark.parametrize("text", ["-" * 100_000, "a.b-" * 50_000, "x" * 200_000, "://" * 50_000])
def test_a_log_may_hold_anything(text: str) -> None:
    assert PLAIN.text(text) == text[:8000] + "…"


def test_no_secret_is_cut_in_two() -> None:
    shown = PLAIN.text("x" * 7990 + " AGE-SECRET-KEY-1" + "D" * 58 + "y" * 9000)
    assert "SECRET-KEY" not in shown
