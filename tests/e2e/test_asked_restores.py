"""Restores that annotations ask for: a new database from a backup, and a copy beside a live one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.model import names
from tests.demo.command import Command
from tests.demo.objects import secret
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, SHOP, WORKLOAD
from tests.e2e.conftest import STAGING, Stage
from tests.e2e.test_command import admin, cronjob_now, databases, done, drop_copy
from tests.e2e.test_postgresql import fingerprint, records

_IDENTITY = "ksnapshot-identity"
_EVERY_MINUTE = "* * * * *"


@pytest.fixture
def with_identity(stage: Stage) -> Iterator[None]:
    """The operator gave the private key, until the test is over."""
    stage.kube.apply(secret(_IDENTITY, CONTROL, {"identity": f"{stage.world.identity}\n"}))
    stage.world.install(identitySecret=_IDENTITY)
    yield
    stage.world.install()
    stage.kube.run("delete", "secret", _IDENTITY, "-n", CONTROL)


@pytest.fixture(autouse=True)
def clean(stage: Stage) -> Iterator[None]:
    """No copy, no annotation and no Job of a test is left to the next."""
    yield
    drop_copy(stage)
    asked = [f"{names.PREFIX}{key}-" for key in ("restore-now", "restore-forget")]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *asked)
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")


@pytest.fixture
def two_logins(stage: Stage, cronjob: str) -> Iterator[None]:
    """Dumps have a login that only reads, restores the owner's, until the test is over."""
    admin(stage, "CREATE ROLE reader LOGIN PASSWORD 'reads'; GRANT pg_read_all_data TO reader")
    stage.kube.apply(
        secret("reader", SHOP, {"username": "reader", "password": "reads"}),
        secret("owner", SHOP, {"username": "shop", "password": stage.world.database_password}),
    )
    annotate(stage, credentials_secret="reader", restore_credentials_secret="owner")

    def is_recorded() -> bool:
        return names.RESTORE_LOGIN in cronjob_now(stage, cronjob)["metadata"]["annotations"]

    stage.kube.wait("the logins", is_recorded, seconds=60)
    yield
    asked = [
        f"{names.PREFIX}{key}-" for key in ("credentials-secret", "restore-credentials-secret")
    ]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", *asked)
    stage.kube.run("delete", "secret", "reader", "owner", "-n", SHOP)
    stage.kube.wait("the one login", lambda: not is_recorded(), seconds=60)
    admin(stage, "DROP ROLE reader")


def annotate(stage: Stage, **values: str) -> None:
    pairs = [f"{names.PREFIX}{key.replace('_', '-')}={text}" for key, text in values.items()]
    stage.kube.run("annotate", "-n", SHOP, f"statefulset/{WORKLOAD}", "--overwrite", *pairs)


def ended(stage: Stage, cronjob: str, key: str, asked: str) -> Any:
    """What the CronJob records of a value, once its Job has ended."""

    def probe() -> Any:
        text = cronjob_now(stage, cronjob)["metadata"]["annotations"].get(key, "{}")
        record = json.loads(text)
        is_over = record.get("asked") == asked and record["stage"] in {"done", "failed"}
        return record if is_over else None

    return stage.kube.wait(f"the end of {key}", probe, seconds=180)


def state(command: Command, workload: str) -> tuple[str, str]:
    told = done(command.run("status", workload, "-o", "json"))
    [entry] = json.loads(told.out)["workloads"]
    return entry["reason"], entry["message"]


def test_a_new_database_begins_with_a_backup(
    stage: Stage, cronjob: str, command: Command, with_identity: None, staging: str
) -> None:
    done(command.run("backup", f"{SHOP}/{WORKLOAD}", "--follow"))
    before = fingerprint(stage, DATABASE)
    source = f"statefulset/{WORKLOAD}@latest"
    stage.world.annotate(_EVERY_MINUTE, STAGING, **{"restore-from": source})
    made = stage.world.cronjob(_EVERY_MINUTE, STAGING)
    name = made["metadata"]["name"]
    assert made["spec"]["suspend"] is True

    record = ended(stage, name, names.BOOTSTRAP, source)
    assert record["stage"] == "done", record
    now = cronjob_now(stage, name)
    assert not now["spec"].get("suspend")
    assert names.HELD_BY not in now["metadata"]["annotations"]
    assert fingerprint(stage, DATABASE, pod=staging) == before
    [mark] = records(stage, "bootstrap.json")
    assert f"/{name}/bootstrap.json" in mark
    written = json.loads(stage.store.read(BUCKET, mark))
    assert (written["done"], written["source"]) == (True, cronjob)
    # The identity is nowhere but in its Secret.
    assert str(stage.world.identity) not in str(stage.kube.list("jobs", CONTROL, ""))

    pod = stage.world.started_pod(name)["metadata"]["name"]
    code, result = stage.world.result(pod)
    assert (code, result.succeeded) == (0, True), result.message
    assert state(command, STAGING) == ("Annotated", "")


def test_a_copy_beside_the_live_database_and_its_end(
    stage: Stage, cronjob: str, command: Command, with_identity: None, two_logins: None
) -> None:
    done(command.run("backup", f"{SHOP}/{WORKLOAD}", "--follow"))
    before = fingerprint(stage, DATABASE)
    stage.world.psql("UPDATE people SET name = name || '!'")
    changed = fingerprint(stage, DATABASE)

    annotate(stage, restore_now="latest")
    record = ended(stage, cronjob, names.RESTORE_NOW, "latest")
    assert (record["stage"], record["beside"]) == ("done", [COPY]), record
    assert fingerprint(stage, COPY) == before
    assert fingerprint(stage, DATABASE) == changed
    stage.kube.wait(
        "the status", lambda: state(command, WORKLOAD)[0] == "RestoredBeside", seconds=30
    )

    annotate(stage, restore_now="latest#2")
    stage.kube.wait(
        "the refusal", lambda: state(command, WORKLOAD)[0] == "RestoreRefused", seconds=30
    )
    assert COPY in state(command, WORKLOAD)[1]

    annotate(stage, restore_now="latest", restore_forget="1")
    assert ended(stage, cronjob, names.RESTORE_FORGET, "1")["stage"] == "done"
    assert COPY not in databases(stage)
    assert fingerprint(stage, DATABASE) == changed
    stage.kube.wait("the calm", lambda: state(command, WORKLOAD)[0] == "Annotated", seconds=30)
