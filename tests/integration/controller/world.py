"""A small world on a real API server: annotated databases, and the controller's own rights."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any

from kubernetes import client, config

from controller.kube.client import CallCounts
from controller.kube.http_client import ApiServer as Kube
from controller.model import names
from controller.model.names import PREFIX
from controller.settings.settings import Settings
from tests.integration.controller import rights
from tests.integration.controller.rights import Right
from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.cluster.kubeapi import Api

Json = dict[str, Any]
PASSWORD = "päss$(word)"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One install: its namespaces, its user and its settings.

    `watches_all`: those are found by their label, and not named.
    """

    server: ApiServer
    control: str
    watched: tuple[str, ...]
    user: str
    settings: Settings
    watches_all: bool = False

    @property
    def api(self) -> Api:
        return self.server.api

    def kube(self, kubeconfig: Path | None = None, timeout: float = 10) -> Kube:
        """A connection with the controller's own rights."""
        file = kubeconfig or self.server.kubeconfig_for(self.server.identity_of(self.user))
        options = client.Configuration()
        config.load_kube_config(str(file), client_configuration=options)
        return Kube(client.ApiClient(options), timeout, Event(), CallCounts())

    def cronjobs(self) -> dict[str, Json]:
        """By name."""
        return self._listed("batch/v1", "CronJob")

    def secrets(self) -> dict[str, Json]:
        """By name."""
        return self._listed("v1", "Secret")

    def writes(self, since: int) -> list[tuple[str, str, str]]:
        """Verb, resource and name of what the controller wrote of generated objects."""
        events = self.server.audit_events(since, user=self.user)
        return [
            (item.verb, item.resource, item.name)
            for item in events
            if item.verb in WRITES and item.resource not in {"configmaps", "events"}
        ]

    def shown(self, since: int) -> list[tuple[str, str]]:
        """Verb and namespace of what the controller wrote, or tried to, for people to look at."""
        events = self.server.audit_events(since, user=self.user)
        return [
            (item.verb, item.namespace)
            for item in events
            if item.verb in WRITES and item.resource == "configmaps"
        ]

    def rows(self, namespace: str = "") -> list[Json]:
        """The workloads of a namespace's board, or of the status; empty without one."""
        place = namespace or self.control
        found = self.api.get("v1", "ConfigMap", place, f"{rights.ACCOUNT}-status")
        document = json.loads(found["data"]["workloads.json"]) if found else {"workloads": []}
        rows: list[Json] = document["workloads"]
        return rows

    def cluster(self) -> str:
        """The cluster's id, where no name is set."""
        found = self.api.get("v1", "Namespace", None, "kube-system")
        assert found
        return str(found["metadata"]["uid"][:8])

    def forbid(self, namespace: str) -> None:
        """Take the controller's rights in a watched namespace away."""
        rights.set_binding(self.api, self.control, namespace, bound=False)

    def allow(self, namespace: str) -> None:
        """Give them back."""
        rights.set_binding(self.api, self.control, namespace, bound=True)

    def delete_namespace(self, namespace: str) -> None:
        """As a cluster does in the end: the rights in it go with it."""
        if not self.watches_all:
            self.forbid(namespace)
        meta = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self.api.delete(meta)
        path = self.api.path("v1", "Namespace", None, namespace)
        self.api.request("PUT", f"{path}/finalize", meta | {"spec": {"finalizers": []}})

    def _listed(self, version: str, kind: str) -> dict[str, Json]:
        # A list's items do not say what they are.
        whole = {"apiVersion": version, "kind": kind}
        items = self.api.list(version, kind, self.control)
        return {item["metadata"]["name"]: whole | item for item in items}


def build(
    server: ApiServer,
    namespaces: int = 1,
    *,
    tag: str = "",
    without: Right | None = None,
    values: tuple[str, ...] = (),
    watches_all: bool = False,
    **env: str,
) -> World:
    """Fresh namespaces with the rights that the chart gives, and nothing else in them.

    `tag` tells worlds apart, by chance if it is empty; `without` is a right that is missing, and
    `values` are further arguments of helm. With `watches_all` the namespaces are found by a label.
    """
    tag = tag or secrets.token_hex(3)
    control = server.create_namespace(f"control-{tag}")
    labels = {"world": tag}
    watched = tuple(server.create_namespace(f"shop{i}-{tag}", labels) for i in range(namespaces))
    places = {"WATCH_NAMESPACES": ",".join(watched)}
    if watches_all:
        selector = f"world={tag}"
        # Other worlds are in the same cluster.
        places = {"WATCH_NAMESPACES": "*", "WATCH_NAMESPACE_SELECTOR": selector}
        values = ('--set-json=watchNamespaces=["*"]', *values)
    rights.grant(server.api, control, watched, without, values)
    settings = Settings.from_env(places | {"CONTROL_NAMESPACE": control} | env)
    return World(
        server=server,
        control=control,
        watched=watched,
        user=rights.account(control),
        settings=settings,
        watches_all=watches_all,
    )


def annotations(**extra: str) -> dict[str, str]:
    values = {"enabled": "true", "type": "postgresql", "schedule": "0 3 * * *"} | {
        key.replace("_", "-"): value for key, value in extra.items()
    }
    return {PREFIX + key: value for key, value in values.items()}


def database(
    api: Api,
    namespace: str,
    name: str = "db",
    *,
    kind: str = "StatefulSet",
    config_map: bool = False,
    labels: Mapping[str, str] = MappingProxyType({}),
    **extra: str,
) -> Json:
    """An owner with one running pod, a headless and a client Service, and its Secret.

    A Deployment has a ReplicaSet in between. `config_map`: the database's name lies in one.
    `labels` are further ones of the pod.
    """
    labels = {"app": name, **labels}
    template = {
        "metadata": {"labels": labels, "annotations": annotations(**extra)},
        "spec": {"containers": [_container(name, config_map=config_map)]},
    }
    owner = api.create(_owner(namespace, name, kind, template))
    parent = owner
    if kind == "Deployment":
        revision = _owner(namespace, f"{name}-1", "ReplicaSet", template)
        revision["metadata"]["ownerReferences"] = [reference(owner)]
        parent = api.create(revision)
    meta = {"name": name, "namespace": namespace}
    password = {"password": PASSWORD, "other": "never read"}
    items: list[Json] = [
        _pod(namespace, name, parent, template),
        _service(namespace, f"{name}-headless", labels, clusterIP="None"),
        _service(namespace, name, labels),
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": password},
    ]
    if config_map:
        data = {"database": "shop"}
        items.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
    api.create_all(items)
    return owner


def reference(owner: Json) -> Json:
    """As an object that this one owns and controls refers to it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }


def running_job(world: World, cronjob: Json, name: str = "run-1") -> Json:
    """A Job of that CronJob, which has not ended."""
    meta = {"name": name, "namespace": world.control, "ownerReferences": [reference(cronjob)]}
    spec = cronjob["spec"]["jobTemplate"]["spec"]
    return world.api.create(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
    )


def fail(world: World, job: Json, reason: str, moment: str = "2026-01-01T03:00:09Z") -> None:
    """Let a Job fail, at a moment in RFC 3339."""
    condition = {"status": "True", "lastTransitionTime": moment, "reason": reason}
    status = {
        "startTime": "2026-01-01T03:00:00Z",
        "active": 0,
        "conditions": [condition | {"type": "FailureTarget"}, condition | {"type": "Failed"}],
    }
    world.api.set_status(job, status)


def warn(world: World, about: Json, reason: str, message: str) -> Json:
    """An Event of type Warning about an object in the control namespace."""
    meta = about["metadata"]
    return world.api.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.1", "namespace": world.control},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": meta["name"],
                "namespace": world.control,
                "uid": meta["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "lastTimestamp": "2026-01-01T03:00:08Z",
        }
    )


def finish(world: World, job: Json, moment: str = "2026-01-01T03:00:09Z") -> None:
    """Let a Job end well, at a moment in RFC 3339."""
    condition = {"status": "True", "lastTransitionTime": moment, "reason": "Test"}
    status = {
        "startTime": "2026-01-01T03:00:00Z",
        "completionTime": moment,
        "succeeded": 1,
        "conditions": [
            condition | {"type": "SuccessCriteriaMet"},
            condition | {"type": "Complete"},
        ],
    }
    world.api.set_status(job, status)


def dump_pod(world: World, job: Json, moment: str = "2026-01-01T03:00:08Z", **more: object) -> Json:
    """A Job's pod that has ended well and says so, with 42 stored bytes and what `more` gives."""
    said = {"version": 1, "succeeded": True, "exit_code": 0, "reason": "Succeeded"}
    said |= {"message": "fine", "stored_bytes": 42} | more
    ended = {"exitCode": 0, "message": json.dumps(said), "finishedAt": moment}
    status = {"name": "job", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    return world.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{job['metadata']['name']}-abcde",
                "namespace": world.control,
                "labels": {
                    names.MANAGED_BY_LABEL: names.MANAGED_BY,
                    "job-name": job["metadata"]["name"],
                },
                "ownerReferences": [reference(job)],
            },
            "spec": {"containers": [{"name": "job", "image": "x"}]},
            "status": {
                "phase": "Succeeded",
                "containerStatuses": [status | {"state": {"terminated": ended}}],
            },
        }
    )


def _owner(namespace: str, name: str, kind: str, template: Json) -> Json:
    labels = template["metadata"]["labels"]
    spec: Json = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = f"{name}-headless"
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec}


def _container(name: str, *, config_map: bool) -> Json:
    password = {"secretKeyRef": {"name": name, "key": "password"}}
    shop = {"configMapKeyRef": {"name": name, "key": "database"}}
    return {
        "name": "postgres",
        "image": "postgres",
        "env": [
            {"name": "POSTGRES_USER", "value": "shop"},
            {"name": "POSTGRES_DB", **({"valueFrom": shop} if config_map else {"value": "shop"})},
            {"name": "POSTGRES_PASSWORD", "valueFrom": password},
        ],
    }


def _pod(namespace: str, name: str, parent: Json, template: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-0",
            "namespace": namespace,
            "ownerReferences": [reference(parent)],
            **template["metadata"],
        },
        "spec": template["spec"],
        "status": {"phase": "Running"},
    }


def _service(namespace: str, name: str, selector: dict[str, str], **spec: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector, "ports": [{"port": 5432}], **spec},
    }
