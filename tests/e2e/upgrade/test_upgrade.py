"""A release of 0.6.0 becomes one of this version in place, and back: docs/upgrading-from-0.6.0.md.

0.6.0's own image does not run here: its chart's objects are installed by helm, and what its
controller writes comes from a model of its pass, with the rights that its chart gives it.
"""

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import names
from controller.settings.settings import Settings
from dumpers.contract.result import DumpResult
from tests.demo import images
from tests.demo.command import Command
from tests.demo.kube import Object, ended_pod, terminated
from tests.demo.objects import from_secret, secret, service, stateful_set
from tests.demo.world import BUCKET, DATABASE, PREFIX, RELEASE
from tests.e2e.conftest import Stage
from tests.e2e.upgrade.legacy_pass import LegacyController
from tests.integration.chart.helm import CHART, OLD_CHART
from tests.testbed.cluster.images import PAUSE
from tests.testbed.cluster.kubeapi import Api, Identity

_CONTROL, _SHOP = "ksnapshot-old", "ksnapshot-old-shop"
_SCHEDULE = "0 3 1 1 *"
_LATER = ("postgresql", f"{_SHOP}/later")
_OF_CONTROLLER = f"app.kubernetes.io/name={RELEASE}"
_KINDS = "cronjobs,secrets,configmaps,serviceaccounts,roles,rolebindings,deployments"
_LAYOUT = (
    r"ksnapshot/(?P<y>\d{4})/(?P<m>\d\d)/(?P<d>\d\d)/postgresql/"
    rf"dump-(?P<pod>[a-z0-9-]+)-{DATABASE}-(?P<stamp>\d{{14}})\.sql\.gz\.age"
)
_OF_0_6_0 = f"ksnapshot/2025/01/02/postgresql/dump-pod-{DATABASE}-20250102030405.sql.gz.age"
_ROWS = "CREATE TABLE t AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 1000) g"
_CONTENT = "SELECT count(*), md5(string_agg(id || text, '' ORDER BY id)) FROM t"
# Object to its uid.
Uids = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A cluster's part with 0.6.0 in it: a release, and a database with three annotations."""

    stage: Stage
    values: Path
    """As 0.6.0's user has them: no key that 0.6.0 did not know."""
    password: str = field(repr=False)

    @property
    def settings(self) -> Settings:
        return Settings.from_env(
            {
                "WATCH_NAMESPACES": _SHOP,
                "CONTROL_NAMESPACE": _CONTROL,
                "BACKUP_SECRET_NAME": "ksnapshot-secret",
                "BACKUP_JOB_SERVICE_ACCOUNT_NAME": f"{RELEASE}-backup",
            }
        )

    @property
    def login(self) -> Mapping[str, str]:
        return {"USERNAME": "shop", "PASSWORD": self.password, "DATABASE": DATABASE}

    def controller(self) -> LegacyController:
        """0.6.0's controller, with a token of its account as it is now."""
        cluster = self.stage.kube.cluster
        assert cluster.layout is not None
        path = cluster.api().path("v1", "ServiceAccount", _CONTROL, RELEASE) + "/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = cluster.api().request("POST", path, body)["status"]["token"]
        authority = cluster.layout.folder / "pki" / "ca.crt"
        return LegacyController(
            api=Api(cluster.layout.url, authority, Identity(token=token)),
            settings=self.settings,
            recipient=self.stage.world.recipient,
            login=self.login,
        )

    def helm(self, verb: str, *arguments: str | Path) -> None:
        words = [str(word) for word in arguments]
        self.stage.kube.helm(verb, RELEASE, *words, "--namespace", _CONTROL)

    def upgrade(self) -> None:
        """By the command of the page; the published images have other names here."""
        of_here = images.names()
        repository, _, tag = of_here[images.CONTROLLER].rpartition(":")
        given = {
            "image.repository": repository,
            "image.tag": tag,
            "dumperImages.postgresql.v16": of_here[images.POSTGRESQL],
            "controller.pollIntervalSeconds": "1",
        }
        here = [f"--set={name}={value}" for name, value in given.items()]
        self.helm("upgrade", CHART, "--values", self.values, *here, "--wait")

    def uids(self) -> Uids:
        """All that a release or a controller makes, in both namespaces."""
        found: dict[tuple[str, str, str], str] = {}
        for namespace in (_CONTROL, _SHOP):
            listed = json.loads(self.stage.kube.run("get", _KINDS, "-n", namespace, "-o", "json"))
            for item in listed["items"]:
                meta = item["metadata"]
                found[namespace, item["kind"], meta["name"]] = meta["uid"]
        return found

    def cronjob(self, workload: str) -> Object | None:
        name = names.cronjob_name("postgresql", f"{_SHOP}/{workload}")
        return self.stage.kube.get("cronjob", name, _CONTROL)

    def dump(self, workload: str) -> DumpResult:
        """Run its CronJob as it is now, whoever wrote it, by this version's dumper."""
        found = self.cronjob(workload)
        assert found
        job = f"by-hand-{secrets.token_hex(4)}"
        spec = found["spec"]["jobTemplate"]["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        container["image"] = images.names()[images.POSTGRESQL]
        meta = {"name": job, "namespace": _CONTROL}
        kube = self.stage.kube
        kube.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
        pod = kube.wait(f"job {job}", ended_pod(kube, job, _CONTROL))
        ended = terminated(pod)
        assert ended
        result = DumpResult.from_json(ended["message"])
        assert result.succeeded, result.message
        return result

    def psql(self, sql: str, database: str = DATABASE) -> str:
        command = f"psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -U shop -d {database} -f -"
        words = ["bash", "-c", f'PGPASSWORD="$POSTGRES_PASSWORD" {command}']
        return self.stage.kube.execute("database-0", _SHOP, *words, stdin=sql).strip()

    def restored(self, key: str) -> str:
        """What an object holds, brought back with stock tools into a new database."""
        self.psql("DROP DATABASE IF EXISTS again")
        self.psql("CREATE DATABASE again")
        env = {
            "PGHOST": f"database.{_SHOP}.svc.cluster.local",
            "PGUSER": "shop",
            "PGPASSWORD": self.password,
            "PGDATABASE": "again",
        }
        psql = "psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --output /dev/null"
        self.stage.world.load([(key, psql)], images.DATABASE, env=env, fetch="transaction")
        return self.psql(_CONTENT, "again")


@pytest.fixture
def old(stage: Stage, tmp_path: Path) -> Iterator[Old]:
    """0.6.0 as it was running for a while."""
    kube = stage.kube
    namespaces = [_CONTROL, _SHOP]
    kube.run("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=true")
    kube.apply(
        *(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            for name in namespaces
        )
    )
    world, values = stage.world, tmp_path / "values.yaml"
    mine: dict[str, Any] = {
        "rbac": {"watchNamespaces": [_SHOP]},
        "s3": {"bucket": BUCKET, "endpoint": world.endpoint},
        "secret": {
            "create": True,
            "awsAccessKeyId": world.store_key,
            "awsSecretAccessKey": world.store_secret,
        },
        "encryption": {"enabled": True, "recipient": world.recipient},
    }
    # A program that runs in the place of its own, and does nothing.
    repository, _, tag = PAUSE.rpartition(":")
    mine["image"] = {"repository": repository, "tag": tag}
    values.write_text(yaml.safe_dump(mine))
    made = Old(stage=stage, values=values, password=secrets.token_hex(16))
    _deploy(made)
    # As helm 3 did it; what helm 4 needs besides is in the tests of the chart.
    made.helm("install", OLD_CHART, "--values", values, "--server-side=false")
    made.psql(_ROWS)
    assert made.controller().pass_() == []
    stage.store.client().put_object(Bucket=BUCKET, Key=_OF_0_6_0, Body=b"of 0.6.0")
    yield made
    made.helm("uninstall")
    kube.run("delete", "namespace", *namespaces, "--wait=false")


def _deploy(old: Old) -> None:
    """The database of 0.6.0's user, and one that is annotated on its owner alone, later."""
    login = {
        "POSTGRES_USER": "shop",
        "POSTGRES_PASSWORD": old.password,
        "POSTGRES_DB": DATABASE,
    }
    asked = {"enabled": "true", "type": "postgresql", "schedule": _SCHEDULE}
    for name, image, annotations in (
        ("database", images.names()[images.DATABASE], asked),
        ("later", PAUSE, {}),
    ):
        labels = {"app": name}
        container: Object = {
            "name": "database",
            "image": image,
            "env": from_secret("login", login),
            "ports": [{"containerPort": 5432}],
        }
        if annotations:
            probe = {"command": ["pg_isready", "-h", "127.0.0.1"]}
            container["readinessProbe"] = {"exec": probe, "periodSeconds": 1, "timeoutSeconds": 20}
        old.stage.kube.apply(
            secret("login", _SHOP, login),
            service(name, _SHOP, labels, 5432),
            stateful_set(
                name,
                _SHOP,
                labels,
                container,
                service=name,
                annotations={f"{PREFIX}/{key}": text for key, text in annotations.items()},
            ),
        )
    rollout = ["rollout", "status", "-n", _SHOP, "statefulset/database", "--timeout=180s"]
    old.stage.kube.run(*rollout)


def _status(stage: Stage) -> Mapping[str, Any]:
    """What the command says of each workload, by name."""
    command = Command(cluster=stage.kube.cluster)
    ended = command.run("status", "--control-namespace", _CONTROL, "-o", "json")
    return {item["name"]: item for item in json.loads(ended.out)["workloads"]}


def _taken_over(old: Old) -> Object:
    """The database's CronJob, once a pass of this version has been over it."""

    def probe() -> Object | None:
        found = old.cronjob("database")
        return found if found and names.OWNER_UID in found["metadata"]["annotations"] else None

    return old.stage.kube.wait("the first pass", probe, seconds=60)


def _assert_layout(result: DumpResult) -> str:
    """The database's object lies where 0.6.0 put it, under its run's one date; its key."""
    (key, *_) = result.keys
    found = re.fullmatch(_LAYOUT, key)
    assert found, key
    assert found["stamp"].startswith(found["y"] + found["m"] + found["d"])
    return key


def test_upgrade_and_rollback(old: Old) -> None:
    stage, kube = old.stage, old.stage.kube
    before, written = old.uids(), old.cronjob("database")
    name = names.cronjob_name("postgresql", f"{_SHOP}/database")
    assert written
    assert (_CONTROL, "Secret", names.secret_name(name)) in before

    old.upgrade()
    taken = _taken_over(old)
    assert old.uids().items() >= before.items()
    assert taken["spec"]["schedule"] == written["spec"]["schedule"]
    status = _status(stage)["database"]
    assert (status["state"], status["reason"]) == ("wanted", "Annotated")
    assert (status["kind"], status["cronjob"]) == ("StatefulSet", name)
    content = old.psql(_CONTENT)
    result = old.dump("database")
    assert old.restored(_assert_layout(result)) == content
    assert stage.store.read(BUCKET, _OF_0_6_0) == b"of 0.6.0"

    # What 0.6.0 does not know: an owner's annotations, and verifications by a schedule.
    more = {"enabled": "true", "type": "postgresql", "schedule": _SCHEDULE}
    pairs = [f"{PREFIX}/{key}={text}" for key, text in more.items()]
    kube.run("annotate", "-n", _SHOP, "statefulset/later", *pairs)
    verified = f"{names.VERIFY_SCHEDULE}={_SCHEDULE}"
    kube.run("annotate", "-n", _SHOP, "statefulset/database", verified)
    verify, later = names.verify_cronjob_name(name), names.cronjob_name(*_LATER)
    wanted = {
        (_CONTROL, kind, one)
        for kind, one in (
            ("CronJob", verify),
            ("CronJob", later),
            ("Secret", names.secret_name(later)),
        )
    }
    kube.wait("all CronJobs", lambda: wanted <= old.uids().keys(), seconds=60)

    old.helm("rollback", "1", "--wait")
    kube.wait("the controller's end", lambda: len(kube.list("pods", _CONTROL, _OF_CONTROLLER)) == 1)
    after = old.uids()
    assert after.items() >= before.items()
    of_helm = {(_CONTROL, "Secret", f"sh.helm.release.v1.{RELEASE}.v{n}") for n in (2, 3)}
    boards = {(place, "ConfigMap", f"{RELEASE}-status") for place in (_CONTROL, _SHOP)}
    assert after.keys() - before.keys() == wanted | of_helm | boards

    # It makes no CronJob of an owner's annotations, so it deletes the one that is there.
    assert old.controller().pass_() == [f"CronJob/{later}"]
    lost = {(_CONTROL, "CronJob", later), (_CONTROL, "Secret", names.secret_name(later))}
    kube.wait("what belonged to it to go", lambda: not lost & old.uids().keys(), seconds=60)
    assert old.uids().items() >= {key: after[key] for key in after.keys() - lost}.items()
    again = old.cronjob("database")
    assert again
    assert again["spec"] == written["spec"]
    assert again["metadata"]["annotations"] == {names.OWNER: f"{_SHOP}/database"}
    assert old.restored(_assert_layout(old.dump("database"))) == content

    old.upgrade()
    _taken_over(old)
    assert old.uids().items() >= {key: after[key] for key in after.keys() - lost}.items()
    assert _status(stage)["database"]["state"] == "wanted"
