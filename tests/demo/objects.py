"""Objects of the demo's and the end-to-end tests' databases, as most people have them."""

from collections.abc import Iterable, Mapping

from tests.demo.kube import Object

USER = 26000


def secret(name: str, namespace: str, values: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": dict(values),
    }


def from_secret(name: str, keys: Iterable[str]) -> list[Object]:
    """A container's variables that a Secret of the same keys holds."""
    return [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}} for key in keys
    ]


def service(
    name: str, namespace: str, selector: Mapping[str, str], *ports: int, headless: bool = False
) -> Object:
    """A Service; a headless one leads to pods that are not ready, too."""
    spec: Object = {
        "selector": dict(selector),
        "ports": [{"name": f"port-{port}", "port": port} for port in ports],
    }
    if headless:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def stateful_set(
    name: str,
    namespace: str,
    labels: Mapping[str, str],
    container: Object,
    *,
    service: str,
    annotations: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    folder: str = "",
) -> Object:
    """One pod that keeps its data in /data until it goes; `secrets` are mounted at these paths.

    With a `folder` of the node, the data is there and outlives the pod.
    """
    mounted = secrets or {}
    data: Object = {"hostPath": {"path": folder}} if folder else {"emptyDir": {}}
    volumes: list[Object] = [{"name": "data", **data}]
    volumes += [{"name": each, "secret": {"secretName": each}} for each in mounted.values()]
    mounts = [{"name": "data", "mountPath": "/data"}]
    mounts += [{"name": each, "mountPath": path} for path, each in mounted.items()]
    template = {
        "metadata": {"labels": dict(labels), "annotations": dict(annotations or {})},
        "spec": {
            "securityContext": {"fsGroup": USER},
            "terminationGracePeriodSeconds": 1,
            "containers": [{**container, "volumeMounts": mounts}],
            "volumes": volumes,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "serviceName": service,
            "selector": {"matchLabels": dict(labels)},
            "template": template,
        },
    }
