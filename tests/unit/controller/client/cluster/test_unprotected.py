from collections.abc import Mapping, Sequence

import pytest

from controller.client.cluster.unprotected import (
    engine_of,
    find_unprotected,
    watched_namespaces,
)
from controller.client.cluster.workload_names import Workload
from controller.kube.client import Document, ForbiddenError, Resource
from controller.model import names
from controller.model.objects import Json
from tests.fakes.worlds import namespace as named
from tests.fakes.worlds import settings

ENABLED = {f"{names.PREFIX}enabled": "true"}


@pytest.mark.parametrize(
    ("image", "engine"),
    [
        ("postgres", "postgresql"),
        ("docker.io/library/postgres:16.9-bookworm@sha256:abc", "postgresql"),
        ("ghcr.io/cloudnative-pg/postgresql:17", "postgresql"),
        ("registry.local:5000/zalando/spilo-16:3.2", "postgresql"),
        ("bitnami/mariadb-galera:11", "mysql"),
        ("percona/percona-xtradb-cluster:8.0", "mysql"),
        ("container-registry.oracle.com/mysql/community-server:8.4", "mysql"),
        ("docker.elastic.co/elasticsearch/elasticsearch:9.0.0", "elasticsearch"),
        ("opensearchproject/opensearch:3", "elasticsearch"),
        ("altinity/clickhouse-server:24.8", "clickhouse"),
        ("quay.io/prometheuscommunity/postgres-exporter:v0.15", ""),
        ("clickhouse/clickhouse-keeper:24.8", ""),
        ("ghcr.io/clickandmortar/ksnapshot-dumper-mysql-8:0.8.0", ""),
        ("opensearchproject/opensearch-dashboards:3", ""),
        ("postgres-backup", ""),
        ("", ""),
    ],
)
def test_the_engine_of_an_image(image: str, engine: str) -> None:
    assert engine_of(image) == engine


def pod(
    owner: str,
    *images: str,
    kind: str = "StatefulSet",
    namespace: str = "shop",
    hash_: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Json:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}
    return {
        "metadata": {
            "name": f"{owner}-0",
            "namespace": namespace,
            "labels": {"pod-template-hash": hash_} if hash_ else {},
            "annotations": annotations or {},
            "ownerReferences": [reference] if kind else [],
        },
        "spec": {"containers": [{"image": image} for image in images]},
    }


def workload(name: str, **cronjob: str) -> Workload:
    key = f"shop/{name}"
    annotations = {names.OWNER: key, names.OWNER_KIND: "StatefulSet"} | cronjob
    meta = {"name": names.cronjob_name("mysql", key), "annotations": annotations}
    return Workload(
        namespace="shop", name=name, kind="StatefulSet", type="mysql", cronjob={"metadata": meta}
    )


def test_what_nothing_backs_up_and_why() -> None:
    pods = [
        pod("protected", "mysql"),
        pod("member-1", "clickhouse-server"),
        pod("web", "nginx"),
        pod("forgotten", "proxy:1", "mysql:8"),
        pod("forgotten", "proxy:1", "mysql:8"),
        pod("api-7c9f", "postgres", kind="ReplicaSet", hash_="7c9f"),
        pod("bare", "postgres", kind=""),
        pod("rejected", "mysql", annotations=ENABLED),
        pod("new", "mysql", annotations=ENABLED),
        pod("elsewhere", "mysql", namespace="dev", annotations=ENABLED),
        # As protected, but in another namespace.
        pod("protected", "mysql", namespace="dev"),
    ]
    group = workload(
        "cluster",
        **{names.OWNER_KIND: "Group", names.MEMBERS: "StatefulSet/member-1=u StatefulSet/m-2=v"},
    )
    reported = {"reason": "ServiceMissing", "message": "no Service"}
    rejected = Workload(
        namespace="shop", name="rejected", kind="StatefulSet", type="mysql", reported=reported
    )
    found = find_unprotected(pods, [workload("protected"), group, rejected], ["shop"])
    assert [
        (item.namespace, str(item.owner), item.type, item.image, item.pods, item.reason)
        for item in found
    ] == [
        ("dev", "StatefulSet/elsewhere", "mysql", "mysql", 1, "NamespaceUnwatched"),
        ("dev", "StatefulSet/protected", "mysql", "mysql", 1, "NotAnnotated"),
        ("shop", "Deployment/api", "postgresql", "postgres", 1, "NotAnnotated"),
        ("shop", "Pod/bare-0", "postgresql", "postgres", 1, "NotAnnotated"),
        ("shop", "StatefulSet/forgotten", "mysql", "mysql:8", 2, "NotAnnotated"),
        ("shop", "StatefulSet/new", "mysql", "mysql", 1, "NotSeenYet"),
        ("shop", "StatefulSet/rejected", "mysql", "mysql", 1, "ServiceMissing"),
    ]
    assert found[-1].document()["workload"] == "shop/rejected"


class Namespaces:
    """Those of a cluster, or none that may be listed."""

    def __init__(self, *names: str) -> None:
        self.names, self.selectors = names, [""]

    def list(self, resource: Resource, namespace: str, selector: str = "") -> Sequence[Document]:
        assert (resource.kind, namespace) == ("Namespace", "")
        self.selectors.append(selector)
        if not self.names:
            raise ForbiddenError("403 namespaces")
        return [named(name) for name in self.names]


@pytest.mark.parametrize(
    ("watch", "listed", "expected"),
    [
        (("shop",), (), ("shop",)),
        (("*",), ("shop", "ksnapshot", "bank"), ("bank", "shop")),
        (("*",), (), ("*",)),
    ],
)
def test_what_is_watched_is_asked_where_it_is_not_named(
    watch: Sequence[str], listed: Sequence[str], expected: Sequence[str]
) -> None:
    cluster = Namespaces(*listed)
    selector = {"WATCH_NAMESPACE_SELECTOR": "team=shop"} if watch == ("*",) else {}
    how = settings(*watch, **selector)
    assert watched_namespaces(cluster, how) == expected  # type: ignore[arg-type]
    assert cluster.selectors[-1] == selector.get("WATCH_NAMESPACE_SELECTOR", "")
