"""Each pod of all values together: admitted as a restricted one, and of fields that are known."""

import copy
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.manifests.reading.drill_cronjob import build_drill_cronjob
from controller.manifests.reading.drill_job import build_drill_job
from controller.manifests.reading.drilled import Drilled
from controller.manifests.reading.identity import SecretKey
from controller.manifests.reading.prove_job import build_prove_job
from controller.manifests.reading.verify_cronjob import build_verify_cronjob
from controller.manifests.restore_job import (
    RestoreJob,
    Target,
    build_client_job,
    build_restore_job,
)
from controller.manifests.run_now_job import build_run_now_job
from controller.manifests.storages.copy_job import build_copy_job
from controller.manifests.verb_job import LOOKS, PROVE, VerbJob, build_check_job, build_verb_job
from controller.settings.settings import Settings
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.registry import ENGINES
from tests.integration.chart.helm import JsonObject, environment, pod_template, render, settings_of
from tests.integration.chart.test_install import EVERYTHING
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import ApiError
from tests.testbed.cluster.kubernetes_api import RELEASES, openapi
from tests.unit.controller.manifests.reading.test_drill_cronjob import SERVER
from tests.unit.controller.manifests.reading.test_drill_cronjob import spec as drilled_spec
from tests.unit.controller.manifests.reading.test_verify_cronjob import spec as verified_spec

_KEY = SecretKey(secret="identity", key="key.txt")
# What admission looks up by name, besides accounts: as everything.yaml has them.
_CLASSES: tuple[JsonObject, ...] = (
    {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
    },
    *(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": 1,
        }
        for name in ("low", "high")
    ),
)


@pytest.fixture(scope="module")
def objects() -> list[JsonObject]:
    return render(f"--values={EVERYTHING}")


@pytest.fixture
def restricted(apiserver: ApiServer, objects: list[JsonObject]) -> Iterator[str]:
    """Such a namespace, with the accounts that the pods name."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = apiserver.create_namespace(f"restricted-{secrets.token_hex(4)}", labels)
    for item in objects:
        if item["kind"] == "ServiceAccount":
            meta = {"name": item["metadata"]["name"], "namespace": namespace}
            apiserver.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    for item in _CLASSES:
        apiserver.api.create(item)
    yield namespace
    for item in _CLASSES:
        apiserver.api.delete(item)


def _said(apiserver: ApiServer, namespace: str, template: JsonObject) -> str:
    """Why the pod is refused; empty where it is let in. It is not stored."""
    meta = {**template.get("metadata", {}), "name": "pod", "namespace": namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    path = apiserver.api.path("v1", "Pod", namespace)
    try:
        apiserver.api.request("POST", path, pod, query={"dryRun": "All"})
    except ApiError as error:
        return str(error)
    return ""


def _of_chart(objects: list[JsonObject]) -> Iterator[tuple[str, JsonObject]]:
    for item in objects:
        if item["kind"] in {"Deployment", "CronJob"}:
            yield item["metadata"]["name"], pod_template(item)
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item


def _of_controller(
    engine: EngineSpec, settings: Settings, env: Mapping[str, str]
) -> Iterator[tuple[str, JsonObject]]:
    """What controller and command make for a workload, by what it is for."""
    drilled, verified = (make(engine.type, env) for make in (drilled_spec, verified_spec))
    # With and without a volume of its own: the limit of everything.yaml lies between them.
    small, large = (
        Drilled(server=SERVER, image="registry.example/server:1", room=size)
        for size in (None, 100 << 30)
    )
    dump: Any = overlay(None, build_cronjob(drilled, settings, "c", None))
    restore = RestoreJob(
        backup="latest", request=RestoreRequest(), identity=_KEY, requested_by="ada"
    )

    def wanted(verb: str) -> VerbJob:
        return VerbJob(name=f"ksnapshot-{verb}-x", verb=verb, deadline=60, keep=60)

    made: dict[str, Any] = {
        "dump": dump,
        "run-now": build_run_now_job(dump, "now"),
        "verify": overlay(None, build_verify_cronjob(verified, settings, "c", None)),
        "drill": overlay(None, build_drill_cronjob(drilled, settings, "c", None, small)),
        "large drill": overlay(None, build_drill_cronjob(drilled, settings, "c", None, large)),
        "drill-now": build_drill_job(
            dump, drilled.engine, small, settings, wanted("drill"), identity=_KEY
        ),
        "restore": build_restore_job(
            dump, engine, Target(cronjob=dump), restore, wanted("restore")
        ),
        "undo": build_client_job(engine, Target(cronjob=dump), wanted("undo")),
        "check": build_check_job(dump, wanted("check")),
        "prove": build_prove_job(dump, wanted(PROVE), _KEY),
        "copy": build_copy_job(dump, wanted("copy"), settings, source="main", target="offsite"),
        **{verb: build_verb_job(dump, wanted(verb)) for verb in (*LOOKS, "pin", "delete")},
    }
    for name, item in made.items():
        yield f"{name} of {engine.type}", pod_template(item)


def test_every_pod_of_everything_is_let_in(
    apiserver: ApiServer, restricted: str, objects: list[JsonObject]
) -> None:
    env = {name: text or "" for name, text in environment(objects).items()}
    env |= {"CONTROL_NAMESPACE": restricted}
    settings = settings_of(objects, CONTROL_NAMESPACE=restricted)
    pods = dict(_of_chart(objects))
    assert {"everything", "everything-prune", "everything-test"} <= pods.keys()
    for engine in ENGINES:
        made = dict(_of_controller(engine, settings, env))
        assert made[f"drill of {engine.type}"] != made[f"large drill of {engine.type}"]
        pods |= made
    refused = {
        name: said for name, pod in pods.items() if (said := _said(apiserver, restricted, pod))
    }
    assert refused == {}


@pytest.mark.parametrize(
    "loosened",
    [
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}},
        {"runAsNonRoot": False},
        {"seccompProfile": {"type": "Unconfined"}},
    ],
)
def test_a_pod_that_may_more_is_refused(
    apiserver: ApiServer, restricted: str, objects: list[JsonObject], loosened: JsonObject
) -> None:
    for name, pod in _of_chart(objects):
        changed = copy.deepcopy(pod)
        changed["spec"]["containers"][0]["securityContext"] |= loosened
        assert 'violates PodSecurity "restricted' in _said(apiserver, restricted, changed), name


# Sidecars, for which the chart says that drills need 1.29.
_DRILLS = ("drill", "large drill", "drill-now")
_NEW = ".spec.initContainers[0].restartPolicy: not known"


@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_knows_every_field_of_these_pods(
    release: str, objects: list[JsonObject]
) -> None:
    known, faults = openapi(release), set()
    env = {name: text or "" for name, text in environment(objects).items()}
    env |= {"CONTROL_NAMESPACE": "elsewhere"}
    settings = settings_of(objects, CONTROL_NAMESPACE="elsewhere")
    for engine in ENGINES:
        for name, template in _of_controller(engine, settings, env):
            found = known.faults({"apiVersion": "v1", "kind": "Pod", **template})
            assert found is not None
            faults |= {(name.partition(" of ")[0], fault) for fault in found}
    new = {(name, _NEW) for name in _DRILLS}
    assert faults == (new if release.startswith("v1.26.") else set())
