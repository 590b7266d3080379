"""A report for a bug, of real objects with secrets wherever people leave them; none is in it."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.model import names
from tests.fakes.kubelet import Kubelet, serve
from tests.integration.controller.command import Command, installed
from tests.integration.controller.world import database, reference, running_job, warn
from tests.testbed.cluster.apiserver import ApiServer

# Each has the word by which it is looked for.
WORD = "pl4nted"
URL = f"postgres://app:{WORD}-1@db:5432/shop"
SIGNED = f"https://s3.example/b/k?X-Amz-Signature={WORD}2&X-Amz-Date=1"
IDENTITY = f"AGE-SECRET-KEY-1{WORD.upper()}3"
INLINE = f"{WORD}-4-Inline"
PEM = f"-----BEGIN PRIVATE KEY-----\n{WORD}5\n-----END PRIVATE KEY-----"
TOKEN = f"Bearer eyJhbGciOi.{WORD}6.x"


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        _let_controller_run(made)
        _plant(made)
        yield made


def _let_controller_run(command: Command) -> None:
    api = command.world.api
    deployment = api.get("apps/v1", "Deployment", command.world.control, "ksnapshot")
    assert deployment
    ready = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
    api.set_status(deployment, ready)


def _plant(command: Command) -> None:
    """Leave secrets in the workload, beside it, and in the control namespace."""
    api, space, control = command.world.api, command.world.watched[0], command.world.control
    owner = api.get("apps/v1", "StatefulSet", space, "db")
    assert owner
    leaky = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"password": INLINE}),
        "example.com/note": URL,
    }
    owner["metadata"]["annotations"] = leaky
    template = owner["spec"]["template"]
    template["metadata"]["annotations"]["example.com/identity"] = IDENTITY
    [container] = template["spec"]["containers"]
    container["env"] += [
        {"name": "PGPASSWORD", "value": INLINE},
        {"name": "HTTPS_PROXY", "value": URL},
    ]
    container["command"] = ["sh", "-c", f"run --password={INLINE}"]
    container["args"] = [f"{WORD}7"]
    container["livenessProbe"] = {"exec": {"command": ["psql", URL]}}
    header = {"name": "Authorization", "value": TOKEN}
    container["readinessProbe"] = {"httpGet": {"path": "/", "port": 80, "httpHeaders": [header]}}
    api.request("PUT", api.path("apps/v1", "StatefulSet", space, "db"), owner)
    meta = {"name": "leaky", "namespace": space, "annotations": leaky}
    spec = {"selector": {"app": "db"}, "ports": [{"port": 1}]}
    api.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": meta | {"labels": {"kubernetes.io/service-name": "leaky"}},
        "endpoints": [{"addresses": ["10.1.2.3"]}],
    }
    api.create(slice_)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "db.1", "namespace": space},
        "involvedObject": {"kind": "Pod", "name": "db-0", "namespace": space},
        "reason": "Unhealthy",
        "message": f"probe failed: {URL} {SIGNED} {TOKEN}; the server said {INLINE}",
    }
    api.create(event)
    job = running_job(command.world, command.cronjob(), "run-leaky")
    warn(command.world, job, "FailedCreate", f"no: {PEM} {IDENTITY} {SIGNED}")
    said = {"version": 1, "succeeded": False, "message": f"cannot reach {URL}"}
    ended = {"exitCode": 10, "message": json.dumps(said)}
    status = {"name": "job", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "run-leaky-abcde",
                "namespace": control,
                "labels": {"job-name": "run-leaky"},
                "ownerReferences": [reference(job)],
            },
            "spec": {
                "nodeName": "report-node",
                "containers": [
                    {"name": "job", "image": "x", "env": [{"name": "X_TOKEN", "value": INLINE}]}
                ],
            },
            "status": {
                "phase": "Failed",
                "containerStatuses": [status | {"state": {"terminated": ended}}],
            },
        }
    )
    # Never asked for.
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k", "namespace": control}}
    api.create(keys | {"stringData": {"key": f"{WORD}8"}})


def _report(
    command: Command, file: Path, *words: str, **options: Any
) -> tuple[Any, dict[str, str]]:
    done = command.run("report", *words, "-o", str(file), **options)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(file) as found:
        return done, {name: found.read(name).decode() for name in found.namelist()}


def test_a_report_holds_everything_but_secrets(command: Command, tmp_path: Path) -> None:
    lines = [
        json.dumps({"time": "2026-01-01T03:00:00Z", "message": "dump failed", "error": URL}),
        json.dumps({"message": "x", "url": SIGNED, "identity": IDENTITY, "said": INLINE}),
        f"plain {PEM.splitlines()[0]}",
        f"{WORD}9",
        "-----END PRIVATE KEY-----",
        "and on",
    ]
    mark = command.world.server.audit_mark()
    kubelet = Kubelet(node="report-node", answers=[(lines, False)])
    with serve(command.world.api, tmp_path, kubelet):
        done, texts = _report(command, tmp_path / "report.zip", command.owner, "--no-doctor")
    about = json.loads(texts["report.json"])
    assert about["missing"] == []
    assert about["workload"] == command.owner
    assert about["kubernetes"]["gitVersion"]
    space = command.world.watched[0]
    wanted = {
        *(f"control/{name}.json" for name in ("deployment", "cronjobs", "jobs", "pods", "events")),
        *(f"workload/{name}.json" for name in ("owner", "pods", "services", "endpointslices")),
        *("control/status.json", f"boards/{space}.json", "workload/events.json", "settings.json"),
        "runs/run-leaky-abcde-job.log",
    }
    assert wanted <= set(texts)
    for name, text in texts.items():
        assert WORD not in text.lower(), name
    assert WORD not in (done.stdout + done.stderr).lower()
    # And it is of use.
    [owner] = json.loads(texts["workload/owner.json"])
    [container] = owner["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "postgres"
    assert {"name": "PGPASSWORD", "value": "***"} in container["env"]
    log = texts["runs/run-leaky-abcde-job.log"]
    assert "dump failed" in log
    assert log.endswith("plain ***\nand on")
    assert kubelet.requests[0]["tailLines"] == ["2000"]
    assert "10.1.2.3" in texts["workload/endpointslices.json"]
    assert "probe failed" in texts["workload/events.json"]
    assert json.loads(texts["settings.json"])["settings"]["CONTROL_NAMESPACE"]
    asked = {event.resource for event in command.world.server.audit_events(mark)}
    assert "secrets" not in asked


def test_what_may_not_be_read_is_named_and_the_rest_is_there(
    command: Command, tmp_path: Path
) -> None:
    viewer = command.viewer("reports-little")
    done, texts = _report(command, tmp_path / "little.zip", command.owner, identity=viewer)
    missing = {item["file"]: item["why"] for item in json.loads(texts["report.json"])["missing"]}
    for file in ("control/events.json", "workload/pods.json", "workload/doctor.json"):
        assert "forbidden" in missing[file], missing
        assert f"missing: {file}: " in done.stderr
    assert {"control/cronjobs.json", "control/jobs.json", "workload/doctor.json"} <= set(texts)
    links = json.loads(texts["workload/doctor.json"])
    assert links[0]["link"] == "controller"
    assert names.cronjob_name("postgresql", command.owner) in texts["control/cronjobs.json"]


def test_a_report_of_the_install_alone(command: Command, tmp_path: Path) -> None:
    database(command.world.api, command.world.watched[0], "other", enabled="false")
    _, texts = _report(command, tmp_path / "install.zip")
    assert not [name for name in texts if name.startswith("workload/")]
    again = command.run("report", "-o", str(tmp_path / "install.zip"))
    assert again.returncode == 2
    assert "is there already" in again.stderr
