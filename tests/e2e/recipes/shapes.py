"""What an operator makes of a recipe, as its golden view has it, for a real cluster.

Its pods are passages to a server that stands elsewhere: labels, owners, Services and Secrets are
the operator's, and whoever is led to a replica, or past the Service that the page names, gets no
answer.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.conformance.test_recipes import FIELDS, Recipe, annotations_at
from tests.demo import images
from tests.demo.kube import Kube, Object
from tests.testbed.cluster.images import PAUSE

NAMESPACE = "demo"
_BUILT_IN = ("v1", "apps/v1", "batch/v1")
_SILENT = {"replica", "secondary"}
_PYTHON = "/opt/ksnapshot/bin/python"
_PASSAGE = """
import socket, sys, threading
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    finally:
        for one in (a, b):
            try: one.shutdown(socket.SHUT_RDWR)
            except OSError: pass
listener = socket.create_server(("", int(sys.argv[3])))
while True:
    client, _ = listener.accept()
    server = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    for pair in ((client, server), (server, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The objects of one recipe's view; `server` is where its pods lead to: host and port."""

    kube: Kube
    recipe: Recipe
    server: tuple[str, int]
    secrets: Mapping[str, Mapping[str, str]]
    """Secret to the texts that take the place of the view's, by their keys."""

    @property
    def port(self) -> int:
        return int(self.recipe.says["connects to"].rpartition(":")[2])

    @property
    def service(self) -> str:
        return self.recipe.says["connects to"].partition(".")[0]

    def make(self) -> None:
        """Bring all of it up, and wait for the pods."""
        view = self._view
        parents = self._parents()
        services = [_service(item, self._references(item, parents)) for item in view["services"]]
        self.kube.apply(*self._secrets(), *services)
        owners = [self._owner(item, parents) for item in self._controllers()]
        bare = [self._pod(item, parents) for item in view["pods"] if not self._made_by(item)]
        self.kube.apply(*owners, *bare)
        for item in owners:
            name = f"{item['kind'].lower()}/{item['metadata']['name']}"
            self.kube.run("rollout", "status", "-n", NAMESPACE, name, "--timeout=180s")
        for item in bare:
            pod = f"pod/{item['metadata']['name']}"
            self.kube.run("wait", "-n", NAMESPACE, "--for=condition=Ready", pod, "--timeout=180s")
        self._label()
        self._lead()

    def lose_pods(self) -> None:
        """As while the operator hibernates it: owners are there, and no pod."""
        for item in self._controllers():
            name = f"{item['kind'].lower()}/{item['metadata']['name']}"
            self.kube.run("scale", "-n", NAMESPACE, "--replicas=0", name)
        self.kube.run("delete", "pods", "--all", "-n", NAMESPACE, "--wait=true")

    @property
    def _view(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.recipe.view["namespaces"][NAMESPACE]
        return found

    def _secrets(self) -> Iterator[Object]:
        for name, content in self._view["contents"].items():
            kind, _, own = name.partition("/")
            assert kind == "Secret", name
            texts = {key: b64decode(text).decode() for key, text in content["data"].items()}
            yield {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {"name": own, "namespace": NAMESPACE},
                "stringData": {**texts, **self.secrets.get(own, {})},
            }

    def _controllers(self) -> list[Object]:
        """The StatefulSets and Deployments; a ReplicaSet is made by its Deployment."""
        owners = self._view.get("owners", {})
        return [item for kind in ("StatefulSet", "Deployment") for item in owners.get(kind, [])]

    def _made_by(self, pod: Object) -> str:
        """The name of the StatefulSet or Deployment that makes the pod; empty if none does."""
        (reference,) = pod["metadata"]["ownerReferences"]
        for item in self._view.get("owners", {}).get("ReplicaSet", []):
            if reference["kind"] == "ReplicaSet" and item["metadata"]["name"] == reference["name"]:
                (reference,) = item["metadata"]["ownerReferences"]
        return reference["name"] if reference["apiVersion"] == "apps/v1" else ""

    def _parents(self) -> Mapping[str, Object]:
        """Make the operator's own objects, of kinds that this cluster learns now; by kind."""
        items = [*self._controllers(), *self._view["pods"], *self._view["services"]]
        references = {
            (one["apiVersion"], one["kind"], one["name"])
            for item in items
            for one in item["metadata"].get("ownerReferences", [])
            if one["apiVersion"] not in _BUILT_IN
        }
        made: dict[str, Object | None] = {}
        for version, kind, name in references:
            self.kube.apply(_kind(version, kind))
            crd = _kind(version, kind)["metadata"]["name"]
            self.kube.run("wait", "--for=condition=Established", f"crd/{crd}", "--timeout=60s")
            item = {
                "apiVersion": version,
                "kind": kind,
                "metadata": {"name": name, "namespace": NAMESPACE},
                # With what the page says to add.
                **self.recipe.yaml,
            }
            self.kube.apply(item)
            made[kind] = self.kube.get(crd, name, NAMESPACE)
        return {kind: item for kind, item in made.items() if item}

    def _references(self, item: Object, parents: Mapping[str, Object]) -> list[Object]:
        given = item["metadata"].get("ownerReferences", [])
        return [{**one, "uid": parents[one["kind"]]["metadata"]["uid"]} for one in given]

    def _annotations(self, template: Object) -> Mapping[str, str]:
        """Those of the page, on what the view has annotated at all."""
        asked = bool(template["metadata"].get("annotations"))
        return annotations_at(self.recipe.yaml, FIELDS[self.recipe.page]) if asked else {}

    def _owner(self, item: Object, parents: Mapping[str, Object]) -> Object:
        name, template = item["metadata"]["name"], item["spec"]["template"]
        pods = [pod for pod in self._view["pods"] if self._made_by(pod) == name]
        meta = template["metadata"]
        of_set = {"serviceName": name, "podManagementPolicy": "Parallel"}
        return {
            "apiVersion": "apps/v1",
            "kind": item["kind"],
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "labels": item["metadata"].get("labels") or {},
                "ownerReferences": self._references(item, parents),
            },
            "spec": {
                **(of_set if item["kind"] == "StatefulSet" else {}),
                "replicas": len(pods),
                "selector": {"matchLabels": meta["labels"]},
                "template": {
                    "metadata": {
                        "labels": meta["labels"],
                        "annotations": self._annotations(template),
                    },
                    "spec": self._spec(pods[0]["spec"], is_silent=_is_silent(template)),
                },
            },
        }

    def _pod(self, item: Object, parents: Mapping[str, Object]) -> Object:
        """A pod that the operator makes itself."""
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": item["metadata"]["name"],
                "namespace": NAMESPACE,
                "labels": item["metadata"]["labels"],
                "annotations": self._annotations(item),
                "ownerReferences": self._references(item, parents),
            },
            "spec": self._spec(item["spec"], is_silent=_is_silent(item)),
        }

    def _spec(self, given: Object, *, is_silent: bool) -> Object:
        """A pod whose first container is the passage, unless it is a replica's."""
        first, *others = given["containers"]
        quiet = [{**item, "image": PAUSE} for item in others]
        host, port = self.server
        passage = {
            **first,
            "image": images.names()[images.ELASTICSEARCH],
            "command": [_PYTHON, "-c", _PASSAGE, host, str(port), str(self.port)],
            "readinessProbe": {"tcpSocket": {"port": self.port}, "periodSeconds": 1},
        }
        return {
            **given,
            "terminationGracePeriodSeconds": 0,
            "containers": [{**first, "image": PAUSE} if is_silent else passage, *quiet],
        }

    def _label(self) -> None:
        """Say of each pod what the operator says of it once it runs."""
        for item in self._view["pods"]:
            if self._made_by(item) and item["metadata"]["name"].rpartition("-")[2].isdigit():
                pairs = [f"{key}={text}" for key, text in item["metadata"]["labels"].items()]
                pod = ["pod", item["metadata"]["name"], "-n", NAMESPACE]
                self.kube.run("label", *pod, "--overwrite", *pairs)

    def _lead(self) -> None:
        """Where the Service has no selector, its endpoints are written by hand."""
        (service,) = (
            item for item in self._view["services"] if item["metadata"]["name"] == self.service
        )
        if service["spec"].get("selector"):
            return
        (leader, *_) = (
            item["metadata"]["name"] for item in self._view["pods"] if not _is_silent(item)
        )
        pod = self.kube.get("pod", leader, NAMESPACE)
        assert pod
        self.kube.apply(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": self.service,
                    "namespace": NAMESPACE,
                    "labels": {"kubernetes.io/service-name": self.service},
                },
                "addressType": "IPv4",
                "endpoints": [
                    {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}}
                ],
                "ports": [{"name": f"port-{self.port}", "port": self.port, "protocol": "TCP"}],
            }
        )


def _is_silent(item: Object) -> bool:
    return bool(_SILENT & {*item["metadata"]["labels"].values()})


def _service(item: Object, owners: Sequence[Object]) -> Object:
    """A Service of the view with an address of this cluster, if any."""
    given = {key: value for key, value in item["spec"].items() if key != "clusterIP"}
    headless = {"clusterIP": "None"} if item["spec"].get("clusterIP") == "None" else {}
    ports = [{"name": f"port-{one['port']}", **one} for one in given.get("ports", [])]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": item["metadata"]["name"],
            "namespace": NAMESPACE,
            "labels": item["metadata"].get("labels") or {},
            "ownerReferences": [*owners],
        },
        "spec": {**given, **headless, **({"ports": ports} if ports else {})},
    }


def _kind(version: str, kind: str) -> Object:
    """A kind of which nothing is checked."""
    group, _, number = version.partition("/")
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": number,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                }
            ],
        },
    }


def kinds_of(item: Any) -> set[str]:
    """The names of the kinds of whatever owns something in a view."""
    if isinstance(item, list):
        return {name for value in item for name in kinds_of(value)}
    if not isinstance(item, dict):
        return set()
    own = {
        str(_kind(one["apiVersion"], one["kind"])["metadata"]["name"])
        for one in item.get("ownerReferences", [])
        if one["apiVersion"] not in _BUILT_IN
    }
    return own | kinds_of([value for key, value in item.items() if key != "ownerReferences"])
