from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from controller.client.cluster.install import find_install, read_install
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import Document, ForbiddenError, Resource
from controller.settings.words import Mode

ENV = {"MODE": "cluster", "WATCH_NAMESPACES": "a,b", "BACKUP_CONFIGMAP_NAME": "cm"}


def deployment(
    namespace: str, release: str = "ksnapshot", env: Mapping[str, str] = ENV, name: str = ""
) -> Document:
    variables: list[dict[str, Any]] = [{"name": key, "value": text} for key, text in env.items()]
    place = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    variables.append({"name": "CONTROL_NAMESPACE", "valueFrom": place})
    return {
        "metadata": {
            "namespace": namespace,
            "name": name or release,
            "labels": {
                "app.kubernetes.io/name": "ksnapshot",
                "app.kubernetes.io/instance": release,
                "app.kubernetes.io/version": "0.8.0",
            },
        },
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {"containers": [{"name": "proxy"}, {"name": "ksnapshot", "env": variables}]}
            },
        },
        "status": {"availableReplicas": 1},
    }


class Cluster:
    """Deployments by namespace; a namespace in `closed` may not be read."""

    def __init__(
        self, *found: Document, context: str = "default", closed: Sequence[str] = ()
    ) -> None:
        self.found, self.context, self.closed = found, context, closed
        self.asked: list[str] = []

    def list(
        self,
        resource: Resource,
        namespace: str,
        selector: str = "",
        *,
        fields: str = "",
    ) -> Sequence[Document]:
        self.asked.append(namespace)
        if namespace in self.closed:
            raise ForbiddenError("GET deployments: forbidden")
        return [
            item
            for item in self.found
            if namespace in {"", item["metadata"]["namespace"]}
            and (not selector or "app.kubernetes.io/name" in item["metadata"]["labels"])
        ]

    def context_namespace(self) -> str:
        return self.context


def test_its_settings_are_those_of_the_deployment_and_its_namespace() -> None:
    env = {**ENV, "INSTANCE_NAME": "prod", "BACKUP_VERIFY": "read-back", "HTTP_PORT": ""}
    found = read_install(deployment("ops", "prod", env, name="prod-ksnapshot"))
    assert found.settings.control_namespace == "ops"
    assert found.settings.watch_namespaces == ("a", "b")
    assert found.settings.instance == "prod"
    assert found.settings.verify == "read-back"
    assert found.settings.http_port == 8080
    assert found.settings.mode is Mode.LOCAL
    assert (found.name, found.version, found.running) == ("prod-ksnapshot", "0.8.0", 1)
    assert found.status_name == "prod-ksnapshot-status"
    assert found.elsewhere == ()


def test_a_setting_from_elsewhere_is_named() -> None:
    item = deployment("ops")
    source = {"configMapKeyRef": {"name": "x", "key": "y"}}
    env = item["spec"]["template"]["spec"]["containers"][1]["env"]
    env.append({"name": "CLUSTER_NAME", "valueFrom": source})
    assert read_install(item).elsewhere == ("CLUSTER_NAME",)


def test_settings_of_another_version_are_told() -> None:
    with pytest.raises(CommandError, match=r"ops/ksnapshot cannot be read.*BACKUP_VERIFY"):
        read_install(deployment("ops", env={**ENV, "BACKUP_VERIFY": "twice"}))


@pytest.mark.parametrize(
    ("context", "installs", "asked", "found"),
    [
        ("ops", ["ops", "ksnapshot"], ["ops"], "ops"),
        ("default", ["ops", "ksnapshot"], ["default", "ksnapshot"], "ksnapshot"),
        ("default", ["ops"], ["default", "ksnapshot", ""], "ops"),
        # In a pod there is no context.
        ("", ["ops"], ["ksnapshot", ""], "ops"),
    ],
)
def test_where_it_is_looked_for(
    context: str, installs: list[str], asked: list[str], found: str
) -> None:
    cluster = Cluster(*map(deployment, installs), context=context)
    assert find_install(cluster).namespace == found
    assert cluster.asked == asked


def test_a_named_namespace_is_the_only_one_asked_also_with_another_label() -> None:
    item = deployment("ops")
    del item["metadata"]["labels"]["app.kubernetes.io/name"]
    cluster = Cluster(item, deployment("ksnapshot"))
    assert find_install(cluster, "ops").namespace == "ops"
    assert set(cluster.asked) == {"ops"}


def test_of_several_one_is_chosen_by_its_release() -> None:
    cluster = Cluster(deployment("ops", "one"), deployment("ops", "two", name="two-ksnapshot"))
    with pytest.raises(CommandError, match="ops/one, ops/two-ksnapshot") as caught:
        find_install(cluster, "ops")
    assert caught.value.exit_code == Exit.USAGE
    assert find_install(cluster, "ops", "two").name == "two-ksnapshot"
    assert find_install(cluster, "ops", "two-ksnapshot").name == "two-ksnapshot"


@pytest.mark.parametrize(
    ("cluster", "namespace", "code", "shown"),
    [
        (Cluster(), "", Exit.NOT_FOUND, "--control-namespace"),
        (Cluster(), "ops", Exit.NOT_FOUND, "in namespace ops"),
        # Another program of that name is none.
        (Cluster(deployment("ops", env={})), "ops", Exit.NOT_FOUND, "no controller"),
        (
            Cluster(deployment("ops"), closed=["default", "ksnapshot", ""]),
            "",
            Exit.FORBIDDEN,
            "KSNAPSHOT_NAMESPACE",
        ),
    ],
)
def test_none_is_told(cluster: Cluster, namespace: str, code: Exit, shown: str) -> None:
    with pytest.raises(CommandError) as caught:
        find_install(cluster, namespace)
    assert caught.value.exit_code == code
    assert shown in caught.value.message
