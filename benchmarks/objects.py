"""The objects of a busy cluster, of the size that they have in production; pure."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.names import PREFIX

Object = dict[str, Any]
_SINCE = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How the image of a database is told its credentials: variable → key of the Secret."""

    port: int
    image: str
    variables: Mapping[str, str]


ENGINES: Mapping[str, Engine] = {
    "postgresql": Engine(
        port=5432,
        image="docker.io/library/postgres:16.9-bookworm",
        variables={
            "POSTGRES_USER": "username",
            "POSTGRES_PASSWORD": "password",
            "POSTGRES_DB": "database",
        },
    ),
    "mysql": Engine(
        port=3306,
        image="docker.io/library/mysql:8.4.5",
        variables={
            "MYSQL_USER": "username",
            "MYSQL_PASSWORD": "password",
            "MYSQL_DATABASE": "database",
        },
    ),
    "elasticsearch": Engine(
        port=9200,
        image="docker.elastic.co/elasticsearch/elasticsearch:8.18.2",
        variables={"ELASTIC_PASSWORD": "password"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment or StatefulSet; with an engine it is a database to be backed up."""

    kind: str
    namespace: str
    name: str
    replicas: int
    engine: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What its Services and its owner select pods by."""
        return {"app.kubernetes.io/name": self.name, "app.kubernetes.io/instance": self.name}

    @property
    def port(self) -> int:
        return ENGINES[self.engine].port if self.engine else 8080


def accessories(workload: Workload) -> Iterator[Object]:
    """Its Secret, its client Service, and the headless one of a StatefulSet.

    A database has none: 0.6.0 rejects what two Services match, and would have less to do.
    """
    secret = {"username": "shop", "password": _digest(workload, "password"), "database": "shop"}
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(workload, workload.name),
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in secret.items()},
    }
    yield _service(workload, workload.name)
    if workload.kind == "StatefulSet" and not workload.engine:
        yield _service(workload, f"{workload.name}-headless", clusterIP="None")


def owner(workload: Workload) -> Object:
    """The Deployment or StatefulSet."""
    spec = {
        "replicas": workload.replicas,
        "revisionHistoryLimit": 10,
        "selector": {"matchLabels": workload.labels},
        "template": _template(workload),
    }
    if workload.kind == "StatefulSet":
        spec |= {"serviceName": f"{workload.name}-headless", "podManagementPolicy": "OrderedReady"}
    meta = _metadata(workload, workload.name)
    meta["annotations"] |= {"deployment.kubernetes.io/revision": "4"}
    return {"apiVersion": "apps/v1", "kind": workload.kind, "metadata": meta, "spec": spec}


def replicaset(workload: Workload, deployment: Object, revision: int, *, current: bool) -> Object:
    """A revision of a Deployment; only the current one has pods."""
    mark = _digest(workload, str(revision))[:10]
    template = _template(workload)
    template["metadata"]["labels"] |= {"pod-template-hash": mark}
    replicas = workload.replicas if current else 0
    meta = _metadata(workload, f"{workload.name}-{mark}")
    meta["labels"] |= {"pod-template-hash": mark}
    meta["annotations"] |= {
        "deployment.kubernetes.io/revision": str(revision),
        "deployment.kubernetes.io/desired-replicas": str(workload.replicas),
        "deployment.kubernetes.io/max-replicas": str(workload.replicas + 1),
    }
    meta["ownerReferences"] = [_reference(deployment)]
    selector = workload.labels | {"pod-template-hash": mark}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector},
            "template": template,
        },
    }


def pod(workload: Workload, parent: Object, number: int) -> Object:
    """A pod as its ReplicaSet or StatefulSet and the scheduler leave it."""
    template = parent["spec"]["template"]
    labels = dict(template["metadata"]["labels"])
    mark = _digest(workload, f"pod {number}")
    name = f"{parent['metadata']['name']}-{mark[:5]}"
    if parent["kind"] == "StatefulSet":
        name = f"{workload.name}-{number}"
        labels |= {
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
            "controller-revision-hash": f"{workload.name}-{mark[5:15]}",
        }
    spec = dict(template["spec"])
    access = f"kube-api-access-{mark[15:20]}"
    mount = {
        "name": access,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": True,
    }
    # What the admission of a real cluster adds.
    spec["containers"] = [
        item | {"volumeMounts": [*item["volumeMounts"], mount]} for item in spec["containers"]
    ]
    spec["volumes"] = [*spec["volumes"], _access(access)]
    spec |= {
        "nodeName": f"node-{int(mark[:4], 16) % 100:03}.europe-west1.example.internal",
        "serviceAccountName": "default",
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "generateName": f"{parent['metadata']['name']}-",
            "namespace": workload.namespace,
            "labels": labels,
            "annotations": template["metadata"]["annotations"],
            "ownerReferences": [_reference(parent)],
        },
        "spec": spec,
    }


def running(made: Object) -> Object:
    """The status that a kubelet reports of this pod when all is well."""
    spec, mark = made["spec"], hashlib.sha256(made["metadata"]["uid"].encode()).hexdigest()
    address = f"10.{int(mark[:2], 16)}.{int(mark[2:4], 16)}.{1 + int(mark[4:6], 16) % 254}"
    node = f"192.168.{int(mark[6:8], 16)}.{1 + int(mark[8:10], 16) % 254}"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "qosClass": "Burstable",
        "startTime": _SINCE,
        "hostIP": node,
        "hostIPs": [{"ip": node}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": _SINCE} for kind in kinds
        ],
        "containerStatuses": [_container_status(item, mark) for item in spec["containers"]],
    }


def _metadata(workload: Workload, name: str) -> Object:
    return {
        "name": name,
        "namespace": workload.namespace,
        "labels": _labels(workload),
        "annotations": {
            "meta.helm.sh/release-name": workload.name,
            "meta.helm.sh/release-namespace": workload.namespace,
        },
    }


def _labels(workload: Workload) -> dict[str, str]:
    return workload.labels | {
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/component": "database" if workload.engine else "web",
        "app.kubernetes.io/version": "16.9.0",
        "helm.sh/chart": f"{workload.engine or 'application'}-4.18.2",
        "team": f"team-{workload.namespace}",
    }


def _template(workload: Workload) -> Object:
    notes = {
        "checksum/config": _digest(workload, "config"),
        "checksum/secret": _digest(workload, "secret"),
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9187",
        "kubectl.kubernetes.io/restartedAt": _SINCE,
    }
    if workload.engine:
        minute = int(_digest(workload, "minute")[:4], 16) % 60
        notes |= {
            f"{PREFIX}enabled": "true",
            f"{PREFIX}type": workload.engine,
            f"{PREFIX}schedule": f"{minute} 3 * * *",
            f"{PREFIX}timezone": "Europe/Paris",
        }
    return {
        "metadata": {"labels": _labels(workload), "annotations": notes},
        "spec": {
            "containers": [_main(workload), _metrics(workload)],
            "volumes": [
                {"name": "config", "configMap": {"name": f"{workload.name}-config"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{workload.name}"}},
            ],
            "securityContext": {
                "fsGroup": 1001,
                "runAsNonRoot": True,
                "runAsUser": 1001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 60,
        },
    }


def _main(workload: Workload) -> Object:
    secret = {"DATABASE_USER": "username", "DATABASE_PASSWORD": "password"}
    if workload.engine:
        secret = dict(ENGINES[workload.engine].variables)
    env = [_from_secret(workload, variable, key) for variable, key in secret.items()]
    env += [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "LOG_FORMAT", "value": "json"},
        {"name": "TZ", "value": "Europe/Paris"},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.monitoring.svc:4317"},
    ]
    probe = {
        "tcpSocket": {"port": "main"},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 6,
    }
    return _container(workload, "main", "1024Mi") | {
        "env": env,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "ports": [{"name": "main", "containerPort": workload.port, "protocol": "TCP"}],
        "livenessProbe": probe | {"initialDelaySeconds": 30},
        "readinessProbe": probe | {"initialDelaySeconds": 5},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/application/conf.d", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "data", "mountPath": "/var/lib/application", "subPath": "data"},
        ],
    }


def _metrics(workload: Workload) -> Object:
    return _container(workload, "metrics", "64Mi") | {
        "env": [_from_secret(workload, "DATA_SOURCE_PASS", "password")],
        "ports": [{"name": "metrics", "containerPort": 9187, "protocol": "TCP"}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def _container(workload: Workload, name: str, memory: str) -> Object:
    return {
        "name": name,
        "image": _image(workload, name),
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": "100m", "memory": memory},
        },
    }


def _from_secret(workload: Workload, variable: str, key: str) -> Object:
    return {
        "name": variable,
        "valueFrom": {"secretKeyRef": {"name": workload.name, "key": key}},
    }


def _image(workload: Workload, container: str) -> str:
    if container == "metrics":
        return "quay.io/prometheuscommunity/postgres-exporter:v0.17.1"
    if workload.engine:
        return ENGINES[workload.engine].image
    return f"registry.example.com/{workload.namespace}/{workload.name}:1.42.{len(container)}"


def _access(name: str) -> Object:
    field = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [{"path": "namespace", **field}]}},
    ]
    return {"name": name, "projected": {"defaultMode": 420, "sources": sources}}


def _container_status(container: Object, mark: str) -> Object:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": f"{container['image'].partition(':')[0]}@sha256:{mark}",
        "containerID": f"containerd://{mark[::-1]}",
        "ready": True,
        "restartCount": 0,
        "started": True,
        "state": {"running": {"startedAt": _SINCE}},
    }


def _service(workload: Workload, name: str, **spec: str) -> Object:
    ports = [
        {"name": "main", "port": workload.port, "targetPort": "main", "protocol": "TCP"},
        {"name": "metrics", "port": 9187, "targetPort": "metrics", "protocol": "TCP"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(workload, name),
        "spec": {"type": "ClusterIP", "selector": workload.labels, "ports": ports, **spec},
    }


def _reference(parent: Object) -> Object:
    return {
        "apiVersion": parent["apiVersion"],
        "kind": parent["kind"],
        "name": parent["metadata"]["name"],
        "uid": parent["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _digest(workload: Workload, what: str) -> str:
    whole = f"{workload.namespace}/{workload.name}/{what}"
    return hashlib.sha256(whole.encode()).hexdigest()
