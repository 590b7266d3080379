"""A small world on a real API server: an annotated database, and the controller's own rights."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from kubernetes import client, config

from controller.config import Settings
from controller.kube import ApiServer as Kube
from controller.names import PREFIX
from tests.testbed.apiserver import ApiServer
from tests.testbed.kubeapi import Api

RBAC = "rbac.authorization.k8s.io/v1"
# Contract section 10, to the letter.
CONTROL_RULES: list[dict[str, Any]] = [
    {
        "apiGroups": ["batch"],
        "resources": ["cronjobs", "jobs"],
        "verbs": ["get", "list", "create", "update", "delete"],
    },
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "verbs": ["get", "list", "create", "update", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
]
WATCH_RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "replicasets", "statefulsets"],
        "verbs": ["get", "list"],
    },
    {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get"]},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One install: its namespaces, its user and its settings."""

    server: ApiServer
    control: str
    watched: tuple[str, ...]
    user: str
    settings: Settings

    @property
    def api(self) -> Api:
        return self.server.api

    def kube(self, kubeconfig: Path | None = None, timeout: float = 10) -> Kube:
        """A connection with the controller's own rights."""
        file = kubeconfig or self.server.kubeconfig_for(self.server.identity_of(self.user))
        options = client.Configuration()
        config.load_kube_config(str(file), client_configuration=options)
        return Kube(client.ApiClient(options), timeout, Event())

    def cronjobs(self) -> dict[str, dict[str, Any]]:
        items = self.api.list("batch/v1", "CronJob", self.control)
        return {item["metadata"]["name"]: item for item in items}

    def secrets(self) -> dict[str, dict[str, Any]]:
        items = self.api.list("v1", "Secret", self.control)
        return {item["metadata"]["name"]: item for item in items}

    def forbid(self, namespace: str) -> None:
        """Take the controller's rights in a watched namespace away."""
        binding = {"kind": "RoleBinding", "apiVersion": RBAC}
        self.api.delete(binding | {"metadata": {"name": "ksnapshot", "namespace": namespace}})

    def allow(self, namespace: str) -> None:
        _bind(self.api, namespace, self.user)


def build(server: ApiServer, namespaces: int = 1, **env: str) -> World:
    """Fresh namespaces with Roles as the chart makes them, and nothing else in them."""
    tag = secrets.token_hex(3)
    control = server.create_namespace(f"control-{tag}")
    watched = tuple(server.create_namespace(f"shop{i}-{tag}") for i in range(namespaces))
    user = f"system:serviceaccount:{control}:ksnapshot"
    api = server.api
    account = {"name": "ksnapshot", "namespace": control}
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    _role(api, control, CONTROL_RULES)
    _bind(api, control, user)
    for namespace in watched:
        _role(api, namespace, WATCH_RULES)
        _bind(api, namespace, user)
    names = [*watched, "kube-system"]
    meta = {"name": f"ksnapshot-{tag}"}
    rules = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": names}
    ]
    api.create({"apiVersion": RBAC, "kind": "ClusterRole", "metadata": meta, "rules": rules})
    api.create(
        {
            "apiVersion": RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": meta,
            "roleRef": _reference("ClusterRole", meta["name"]),
            "subjects": [{"kind": "User", "name": user}],
        }
    )
    settings = Settings.from_env(
        {"WATCH_NAMESPACES": ",".join(watched), "CONTROL_NAMESPACE": control} | env
    )
    return World(server=server, control=control, watched=watched, user=user, settings=settings)


def _role(api: Api, namespace: str, rules: list[dict[str, Any]]) -> None:
    meta = {"name": "ksnapshot", "namespace": namespace}
    api.create({"apiVersion": RBAC, "kind": "Role", "metadata": meta, "rules": rules})


def _bind(api: Api, namespace: str, user: str) -> None:
    api.create(
        {
            "apiVersion": RBAC,
            "kind": "RoleBinding",
            "metadata": {"name": "ksnapshot", "namespace": namespace},
            "roleRef": _reference("Role", "ksnapshot"),
            "subjects": [{"kind": "User", "name": user}],
        }
    )


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def annotations(**extra: str) -> dict[str, str]:
    values = {"enabled": "true", "type": "postgresql", "schedule": "0 3 * * *"} | {
        key.replace("_", "-"): value for key, value in extra.items()
    }
    return {PREFIX + key: value for key, value in values.items()}


def database(api: Api, namespace: str, name: str = "db", **extra: str) -> dict[str, Any]:
    """A StatefulSet with one running pod, a headless and a client Service, and its Secret."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": annotations(**extra)},
        "spec": {"containers": [_container(name)]},
    }
    owner = api.create(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "serviceName": f"{name}-headless",
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
    )
    api.create_all(
        [
            _pod(namespace, name, owner, template),
            _service(namespace, f"{name}-headless", labels, clusterIP="None"),
            _service(namespace, name, labels),
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": {"password": "päss$(word)", "other": "never read"},
            },
        ]
    )
    return owner


def _container(name: str) -> dict[str, Any]:
    password = {"secretKeyRef": {"name": name, "key": "password"}}
    return {
        "name": "postgres",
        "image": "postgres",
        "env": [
            {"name": "POSTGRES_USER", "value": "shop"},
            {"name": "POSTGRES_DB", "value": "shop"},
            {"name": "POSTGRES_PASSWORD", "valueFrom": password},
        ],
    }


def _pod(
    namespace: str, name: str, owner: dict[str, Any], template: dict[str, Any]
) -> dict[str, Any]:
    reference = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": name,
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-0",
            "namespace": namespace,
            "ownerReferences": [reference],
            **template["metadata"],
        },
        "spec": template["spec"],
        "status": {"phase": "Running"},
    }


def _service(namespace: str, name: str, selector: dict[str, str], **spec: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector, "ports": [{"port": 5432}], **spec},
    }
