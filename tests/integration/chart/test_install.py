"""The chart on a real API server: it takes every object, and the rights are these and no more."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.chart.helm import (
    CHART,
    OLD_CHART,
    HelmError,
    JsonObject,
    find,
    helm,
    render,
)
from tests.integration.chart.rights import (
    CONTROL,
    CONTROL_BY_NAME,
    STATUS,
    WATCHED,
    WATCHED_BY_NAME,
)
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain.processes import wait_until

EVERYTHING = Path(__file__).with_name("values") / "everything.yaml"
_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")

Install = Callable[..., str]


@pytest.fixture
def watched(apiserver: ApiServer) -> str:
    return apiserver.create_namespace(f"watched-{secrets.token_hex(4)}")


@pytest.fixture
def install(apiserver: ApiServer, namespace: str, watched: str) -> Iterator[Install]:
    def run(verb: str, *arguments: str) -> str:
        place = [f"--namespace={namespace}", *arguments]
        if verb != "uninstall":
            place = [str(CHART), f"--set=rbac.watchNamespaces={watched}", *place]
        return helm(verb, "ksnapshot", *place, kubeconfig=apiserver.kubeconfig)

    run("install", "--set=s3.bucket=backups")
    yield run
    run("uninstall")


def _may(apiserver: ApiServer, account: str, verb: str, where: dict[str, str]) -> bool:
    namespace, name = account.split(":")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{name}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
            "resourceAttributes": {"verb": verb, **where},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    allowed: bool = apiserver.api.request("POST", path, review)["status"]["allowed"]
    return allowed


def _rights(
    apiserver: ApiServer, account: str, namespace: str, *resources: str
) -> dict[str, set[str]]:
    """The verbs by resource, of these or of every one; `configmaps/NAME` is a single object."""
    found: dict[str, set[str]] = {}
    every = {*CONTROL, *WATCHED, "events", "leases.coordination.k8s.io"}
    for resource in sorted(resources or every):
        kind, _, name = resource.partition("/")
        plural, _, group = kind.partition(".")
        where = {"namespace": namespace, "resource": plural, "group": group, "name": name}
        verbs = {verb for verb in _VERBS if _may(apiserver, account, verb, where)}
        if verbs:
            found[resource] = verbs
    return found


def test_controller_has_these_rights_and_no_more(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    account = f"{namespace}:ksnapshot"
    assert _rights(apiserver, account, namespace) == CONTROL
    assert _rights(apiserver, account, watched) == WATCHED
    assert _rights(apiserver, account, "kube-system") == {}
    for given, by_name, place in (
        (CONTROL, CONTROL_BY_NAME, namespace),
        (WATCHED, WATCHED_BY_NAME, watched),
    ):
        verbs = given["configmaps"] | by_name[STATUS]
        assert _rights(apiserver, account, place, STATUS) == {STATUS: verbs}
    seen = {
        name
        for name in (namespace, watched, "kube-system", "default")
        if _may(apiserver, account, "get", {"resource": "namespaces", "name": name})
    }
    assert seen == {watched, "kube-system"}
    assert not _may(apiserver, account, "list", {"resource": "namespaces"})


def _helm_test(
    apiserver: ApiServer, namespace: str, watched: str
) -> subprocess.CompletedProcess[str]:
    """Run what the pod of `helm test` runs, as the controller's account."""
    values = f"--set=rbac.watchNamespaces={watched},s3.bucket=backups"
    objects = render(values, namespace=namespace)
    pod = find(objects, "Pod", "ksnapshot-test", namespace)["spec"]
    [test] = pod["containers"]
    identity = apiserver.identity_of(
        f"system:serviceaccount:{namespace}:{pod['serviceAccountName']}"
    )
    env = {item["name"]: item.get("value") or namespace for item in test["env"]}
    unset = (item["name"] for item in test["env"] if item.get("value") == "")
    env |= dict.fromkeys(unset, "")
    # Not in a pod, where the token would be.
    env |= {"MODE": "local", "KUBECONFIG": str(apiserver.kubeconfig_for(identity))}
    return subprocess.run(
        [sys.executable, "-m", "controller", *test["args"]],
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_helm_test_passes_and_fails_without_the_rights(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    install("upgrade")
    done = _helm_test(apiserver, namespace, watched)
    assert (done.returncode, done.stdout) == (0, "0 writes\n"), done.stderr
    role = apiserver.api.get("rbac.authorization.k8s.io/v1", "Role", watched, "ksnapshot-watch")
    assert role is not None
    apiserver.api.patch(
        {**role, "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}, {"rules": []}
    )
    wait_until(
        lambda: _helm_test(apiserver, namespace, watched).returncode == 1,
        seconds=30,
        what="the lost right",
    )
    told = _helm_test(apiserver, namespace, watched).stdout
    assert f"! GET /api/v1/namespaces/{watched}/pods: 403 Forbidden" in told


def test_without_boards_there_are_no_rights_for_them(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    notes = install("upgrade", "--set=controller.boards=false")
    assert "configmap ksnapshot-status" in notes
    assert f"for namespace in {watched}" not in notes
    account = f"{namespace}:ksnapshot"
    assert _rights(apiserver, account, watched) == WATCHED | {"configmaps": {"get"}}
    assert _rights(apiserver, account, watched, STATUS) == {STATUS: {"get"}}
    verbs = CONTROL["configmaps"] | CONTROL_BY_NAME[STATUS]
    assert _rights(apiserver, account, namespace, STATUS) == {STATUS: verbs}


def test_secrets_and_config_maps_by_name(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    given = f'{{"{watched}": {{"secrets": ["db"], "configMaps": []}}}}'
    install("upgrade", "--set=s3.bucket=backups", f"--set-json=rbac.readNames={given}")
    account = f"{namespace}:ksnapshot"
    assert _rights(apiserver, account, watched) == {
        resource: verbs - {"get"} if resource in {"configmaps", "secrets"} else verbs
        for resource, verbs in WATCHED.items()
        if resource != "secrets"
    }
    single = ("secrets/db", "secrets/other", "configmaps/db", STATUS)
    assert _rights(apiserver, account, watched, *single) == {
        "secrets/db": {"get"},
        "configmaps/db": {"create"},
        STATUS: {"create", "get", "update"},
    }


def test_several_replicas_have_rights_for_their_lease_and_no_other(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    install("upgrade", "--set=replicaCount=2")
    account, leases = f"{namespace}:ksnapshot", "leases.coordination.k8s.io"
    lease = f"{leases}/ksnapshot-leader"
    assert _rights(apiserver, account, namespace) == CONTROL | {leases: {"create"}}
    assert _rights(apiserver, account, namespace, lease) == {lease: {"create", "get", "update"}}
    assert _rights(apiserver, account, watched) == WATCHED
    budget = apiserver.api.get("policy/v1", "PodDisruptionBudget", namespace, "ksnapshot")
    assert budget is not None
    install("upgrade", "--set=replicaCount=1")
    assert _rights(apiserver, account, namespace) == CONTROL


def test_a_real_api_server_takes_every_value_at_once(apiserver: ApiServer, watched: str) -> None:
    place = apiserver.create_namespace(f"everything-{secrets.token_hex(4)}")
    arguments = [
        f"--namespace={place}",
        f"--values={EVERYTHING}",
        f"--set=namespaceOverride={place},watchNamespaces={watched}",
        f"--set=extraObjects[0].metadata.namespace={place}",
        # There are no kinds of Prometheus' operator.
        "--set=metrics.renderMode=auto",
        # Nor a second family of addresses.
        "--set=metrics.service.ipFamilies={IPv4}",
    ]
    helm("install", "ksnapshot", CHART, *arguments, kubeconfig=apiserver.kubeconfig)
    made = apiserver.api.get("apps/v1", "Deployment", place, "everything")
    assert made is not None
    assert made["spec"]["template"]["spec"]["runtimeClassName"] == "gvisor"
    for name in ("controller", "dumps", "jobs", "drill"):
        policy = apiserver.api.get(
            "networking.k8s.io/v1", "NetworkPolicy", place, f"everything-{name}"
        )
        assert policy is not None
    helm("uninstall", "ksnapshot", arguments[0], kubeconfig=apiserver.kubeconfig)


def test_dump_jobs_have_no_rights(
    apiserver: ApiServer, namespace: str, watched: str, install: Install
) -> None:
    account = f"{namespace}:ksnapshot-backup"
    assert _rights(apiserver, account, namespace) == {}
    assert _rights(apiserver, account, watched) == {}


def test_upgrade_keeps_values(apiserver: ApiServer, namespace: str, install: Install) -> None:
    install("upgrade", "--reuse-values", "--set=replicaCount=0")
    config = apiserver.api.get("v1", "ConfigMap", namespace, "ksnapshot-cm")
    assert config is not None
    assert config["data"] == {"S3_BUCKET": "backups"}
    deployment = apiserver.api.get("apps/v1", "Deployment", namespace, "ksnapshot")
    assert deployment is not None
    assert deployment["spec"]["replicas"] == 0


def test_two_installs_do_not_clash(apiserver: ApiServer, install: Install) -> None:
    other = apiserver.create_namespace(f"other-{secrets.token_hex(4)}")
    place = [f"--namespace={other}", f"--set=rbac.watchNamespaces={other}"]
    helm("install", "ksnapshot", CHART, *place, kubeconfig=apiserver.kubeconfig)
    helm("uninstall", "ksnapshot", place[0], kubeconfig=apiserver.kubeconfig)


def test_notes_warn_that_the_endpoint_beats_the_region(install: Install) -> None:
    one = install("upgrade", "--set=s3.bucket=b,s3.region=eu-west-3")
    assert "S3_ENDPOINT" not in one
    both = install(
        "upgrade", "--set=s3.bucket=b,s3.region=eu-west-3,s3.endpoint=https://s3.example"
    )
    assert "THE ENDPOINT WINS" in both
    assert "https://s3.example" in both
    own = install("upgrade", "--set=existingConfigMap=mine")
    assert "if the ConfigMap mine has both S3_ENDPOINT and S3_REGION" in own


def test_notes_say_what_is_missing_and_what_stays(
    namespace: str, watched: str, install: Install
) -> None:
    notes = install("upgrade")
    assert "NO BUCKET IS SET" in notes
    assert "nothing is backed up" not in notes
    assert "nothing is backed up" in install("upgrade", "--set=backupJob.maxConcurrentPerHost=1")
    assert f"kubectl -n {namespace} create secret generic ksnapshot-secret" in notes
    assert (
        f"kubectl -n {namespace} delete cronjobs,secrets -l app.kubernetes.io/managed-by=ksnapshot"
        in notes
    )
    assert f"for namespace in {watched}; do" in notes
    assert f"kubectl -n {watched} get configmap ksnapshot-status" in notes
    assert "get lease" not in notes
    lease = f"kubectl --namespace {namespace} get lease ksnapshot-leader"
    assert lease in install("upgrade", "--set=replicaCount=2")
    assert "use the identity of the ServiceAccount" in install("upgrade", "--set=existingSecret=")


_FREED = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}


@pytest.mark.parametrize("server_side", [True, False], ids=["server-side", "client-side"])
def test_upgrade_from_0_6_0_and_back(
    apiserver: ApiServer, namespace: str, watched: str, *, server_side: bool
) -> None:
    # 0.6.0 set no strategy, so the API server made it RollingUpdate.
    where = f"--namespace={namespace}"
    values = f"--set=rbac.watchNamespaces={{{watched}}},s3.bucket=backups"

    def run(verb: str, *arguments: str | Path) -> None:
        helm(verb, "ksnapshot", *arguments, where, kubeconfig=apiserver.kubeconfig)

    run("install", OLD_CHART, values, f"--server-side={str(server_side).lower()}")
    before = _made(apiserver, namespace, watched)
    if server_side:
        with pytest.raises(HelmError, match=f"kubectl -n {namespace} patch deployment ksnapshot"):
            run("upgrade", CHART, values)
        apiserver.api.patch(_deployment(apiserver, namespace), _FREED)
    run("upgrade", CHART, values)
    assert _made(apiserver, namespace, watched).items() >= before.items()
    assert _deployment(apiserver, namespace)["spec"]["strategy"] == {"type": "Recreate"}
    run("rollback", "1")
    assert _made(apiserver, namespace, watched) == before
    # What somebody patched stays theirs where helm works by server-side apply.
    strategy = "Recreate" if server_side else "RollingUpdate"
    assert _deployment(apiserver, namespace)["spec"]["strategy"]["type"] == strategy
    run("upgrade", CHART, values)
    run("uninstall")


def _deployment(apiserver: ApiServer, namespace: str) -> JsonObject:
    found = apiserver.api.get("apps/v1", "Deployment", namespace, "ksnapshot")
    assert found is not None
    return found


def _made(apiserver: ApiServer, *namespaces: str) -> dict[tuple[str, str, str], str]:
    """The uids of the release's objects, by namespace, kind and name."""
    rights = "rbac.authorization.k8s.io/v1"
    kinds = {
        "v1": ("ConfigMap", "Secret", "ServiceAccount"),
        "apps/v1": ("Deployment",),
        rights: ("Role", "RoleBinding"),
    }
    selector = "app.kubernetes.io/managed-by=Helm"
    return {
        (namespace, kind, item["metadata"]["name"]): item["metadata"]["uid"]
        for namespace in namespaces
        for version, listed in kinds.items()
        for kind in listed
        for item in apiserver.api.list(version, kind, namespace, labelSelector=selector)
    }
