from pathlib import Path

import pytest

from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.cluster.kubeapi import Api, ApiError
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.toolchain.pki import authority
from tests.testbed.toolchain.processes import wait_until


def _pod(namespace: str, name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "c", "image": "localhost/none"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.7"},
    }


def test_a_pod_has_the_status_that_the_test_gave(apiserver: ApiServer, namespace: str) -> None:
    apiserver.api.create_all(_pod(namespace, f"db-{number}") for number in range(20))
    query = {"fieldSelector": "status.phase=Running"}
    pods = apiserver.api.list("v1", "Pod", namespace, **query)
    assert len(pods) == 20
    assert pods[0]["status"]["podIP"] == "10.0.0.7"


def test_a_service_account_may_do_what_its_role_says(apiserver: ApiServer, namespace: str) -> None:
    user = f"system:serviceaccount:{namespace}:default"
    api = apiserver.api_of(user)
    with pytest.raises(ApiError, match="403"):
        api.list("v1", "Secret", namespace)
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    apiserver.api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "see", "namespace": namespace},
            "rules": [rule],
        }
    )
    apiserver.api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "see", "namespace": namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "see",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace}],
        }
    )

    def allowed() -> bool:
        try:
            return api.list("v1", "Secret", namespace) == []
        except ApiError:
            return False

    # The authorizer hears of a binding a moment after it was written.
    wait_until(allowed, seconds=60, what="the role binding")


def test_the_audit_log_counts_writes(apiserver: ApiServer, namespace: str) -> None:
    mark = apiserver.audit_mark()
    pod = apiserver.api.create(_pod(namespace, "counted"))
    apiserver.api.get("v1", "Pod", namespace, "absent")
    apiserver.api.delete(pod)
    events = apiserver.audit_events(mark, user="testbed-admin")
    assert [(e.verb, e.resource, e.name, e.code) for e in events if e.verb in WRITES] == [
        ("create", "pods", "counted", 201),
        ("patch", "pods/status", "counted", 200),
        ("delete", "pods", "counted", 200),
    ]
    assert [event.code for event in events if event.verb == "get"] == [404]


def test_a_token_of_a_service_account_passes_a_proxy(
    apiserver: ApiServer, namespace: str, faults: Faults, tmp_path: Path
) -> None:
    ca = authority(tmp_path)
    proxy = faults.http(apiserver.port, tls=ca.server("proxy"), upstream_ca=apiserver.ca)
    api = Api(proxy.url, ca.pair.cert, apiserver.account(namespace, "default"))
    with pytest.raises(ApiError, match=f"system:serviceaccount:{namespace}:default"):
        api.list("v1", "Secret", namespace)
    proxy.set(Rule(Status(500, b"{}"), path="/secrets"))
    with pytest.raises(ApiError, match="500"):
        api.list("v1", "Secret", namespace)
