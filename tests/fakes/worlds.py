"""Builders of the objects that the controller reads; each is as small as the API allows."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model.names import PREFIX, cronjob_name
from controller.plan.changes import PassResult
from controller.report.transition_log import log_transition
from controller.report.transitions import Transition
from controller.settings.settings import Settings
from controller.workloads.request import Request, parse_request
from tests.fakes.kube_memory import MemoryApi

Document = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONTROL = "ksnapshot"
NS = "demo"
DB = cronjob_name("postgresql", "demo/db")


def settings(*watched: str, **env: str) -> Settings:
    return Settings.from_env({"WATCH_NAMESPACES": ",".join(watched or (NS,))} | env)


def asks(**extra: str) -> dict[str, str]:
    values = {"enabled": "true", "type": "postgresql", "schedule": "0 3 * * *"} | {
        key.replace("_", "-"): value for key, value in extra.items()
    }
    return {PREFIX + key: value for key, value in values.items()}


def request(engine: str = "postgresql", **values: Any) -> Request:
    found = parse_request(asks(type=engine, **values), settings())
    assert isinstance(found, Request)
    return found


def reference(owner: Document) -> Document:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


def owner(
    name: str = "db",
    kind: str = "StatefulSet",
    *,
    template: dict[str, str] | None = None,
    own: dict[str, str] | None = None,
    above: Document | None = None,
    api: str = "apps/v1",
    namespace: str = NS,
    uid: str = "",
) -> Document:
    meta: Document = {"name": name, "namespace": namespace, "uid": uid or f"{kind.lower()}-{name}"}
    if own:
        meta["annotations"] = own
    if above:
        meta["ownerReferences"] = [reference(above)]
    shape = {"metadata": {"labels": {"app": name}, "annotations": template or {}}}
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {"template": shape}}


def container(**env: str) -> Document:
    password = {"secretKeyRef": {"name": "db", "key": "password"}}
    values = {"POSTGRES_USER": "shop", "POSTGRES_DB": "shop"} | env
    return {
        "name": "postgres",
        "env": [
            *({"name": key, "value": value} for key, value in values.items()),
            {"name": "POSTGRES_PASSWORD", "valueFrom": password},
        ],
    }


def pod(
    of: Document | None,
    number: int = 0,
    *,
    says: dict[str, str] | None = None,
    phase: str = "Running",
    namespace: str = NS,
    app: str = "",
) -> Document:
    name = of["metadata"]["name"] if of else "alone"
    meta: Document = {
        "name": f"{name}-{number}",
        "namespace": namespace,
        "uid": f"pod-{name}-{number}",
        "resourceVersion": "1",
        "labels": {"app": app or name},
        "annotations": asks() if says is None else says,
    }
    if of:
        meta["ownerReferences"] = [reference(of)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [container()]},
        "status": {"phase": phase},
    }


def service(
    name: str = "db", *, app: str = "db", port: int = 5432, namespace: str = NS, **spec: Any
) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": app}, "ports": [{"port": port}], **spec},
    }


def secret(name: str = "db", namespace: str = NS, **values: str) -> Document:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": data or {"password": "c2VjcmV0"},
    }


def namespace(name: str, uid: str = "") -> Document:
    meta = {"name": name, "uid": uid or f"ns-{name}"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def job(
    cronjob: Document, name: str = "run-1", *, ended: str = "", how: str = "Complete"
) -> Document:
    conditions = [{"type": how, "status": "True", "lastTransitionTime": ended}] if ended else []
    status: Document = {"conditions": conditions}
    if ended and how == "Complete":
        status["completionTime"] = ended
    meta = {"name": name, "namespace": CONTROL, "uid": f"job-{name}"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta | {"ownerReferences": [reference(cronjob)]},
        "status": status,
    }


def small(says: dict[str, str] | None = None, name: str = "db", space: str = NS) -> list[Document]:
    """One annotated StatefulSet with its pod, Service and Secret in one namespace."""
    values = asks() if says is None else says
    of = owner(name, template=values, namespace=space)
    return [
        namespace(space),
        of,
        pod(of, says=values, namespace=space),
        service(name, app=name, namespace=space),
        secret("db", space),
    ]


def cluster(*items: Document) -> MemoryApi:
    return MemoryApi([namespace("kube-system", "12345678-aaaa"), namespace(CONTROL), *items])


def one_pass(
    api: MemoryApi,
    how: Settings | None = None,
    memory: PassState | None = None,
    minutes: float = 0,
    *,
    tell: Callable[[Transition], None] = log_transition,
) -> PassResult:
    now = NOW + timedelta(minutes=minutes)
    return run(api, how or settings(), memory or PassState(), now=now, tell=tell)


def states(result: PassResult) -> dict[str, str]:
    """Workload and CronJob → state and reason, for short asserts."""
    return {
        item.workload_plan.workload: f"{item.status.state} {item.status.reason}"
        for item in result.results
    }
