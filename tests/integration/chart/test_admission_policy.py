"""The optional policy on Jobs: what the product makes passes, what reads other Secrets does not."""

import copy
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from controller.manifests.overlay import overlay
from controller.manifests.reading.drill_cronjob import build_drill_cronjob
from controller.manifests.reading.drilled import Drilled
from controller.manifests.reading.identity import SecretKey
from controller.manifests.reading.prove_job import build_prove_job
from controller.manifests.reading.verify_cronjob import build_verify_cronjob
from controller.manifests.restore_job import RestoreJob, Target, build_restore_job
from controller.manifests.storages.sources import WRITER, Account
from controller.manifests.verb_job import PROVE, VerbJob
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import settings
from tests.integration.chart.helm import CHART, helm
from tests.integration.controller.rights import may
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Api, ApiError
from tests.testbed.toolchain.processes import wait_until
from tests.unit.controller.manifests.reading.test_drill_cronjob import SERVER
from tests.unit.controller.manifests.reading.test_drill_cronjob import spec as drilled_spec
from tests.unit.controller.manifests.reading.test_verify_cronjob import spec as verified
from tests.unit.controller.manifests.test_restore_job import cronjob

_POSTGRESQL = next(engine for engine in ENGINES if engine.type == "postgresql")
_NAME = "ksnapshot-restore-db-12345678-abcde"
_PROBE = {"exec": {"command": ["sh"]}}
_POSTGRES = "docker.io/library/postgres:16"


@pytest.fixture
def guarded(apiserver: ApiServer) -> Iterator[str]:
    """A namespace with the policy."""
    namespace = apiserver.create_namespace(f"guarded-{secrets.token_hex(4)}")
    with _policy(apiserver, namespace):
        yield namespace


@contextmanager
def _policy(apiserver: ApiServer, namespace: str) -> Iterator[None]:
    """Install the policy, until the API server heeds it, and remove it again."""
    place = [f"--namespace={namespace}", f"--set=rbac.watchNamespaces={namespace}"]
    more = [
        "--set=admissionPolicy.enabled=true,existingSecret=keys,backupJob.serviceAccount.name=sa",
        "--set=admissionPolicy.secrets={kept-identity}",
        "--set=reader.existingSecret=reading,reader.serviceAccount.name=reader",
        "--set=admissionPolicy.secrets={kept-identity},identitySecret=operators/key.txt",
        "--set=proof.signingKeySecret=proof-key/signing.pem",
        "--set=prune.enabled=true,prune.existingSecret=deleting,clusterName=c",
        "--set=drill.images.mysql=r.example/mysql:{major}.{minor},drill.networkPolicy=true",
    ]
    helm("install", "ksnapshot", CHART, *place, *more, kubeconfig=apiserver.kubeconfig)
    refused = _changed(namespace, lambda pod: pod["containers"][0].update(image="busybox"))
    while _create(apiserver, refused) == 201:
        pass
    yield
    helm("uninstall", "ksnapshot", place[0], kubeconfig=apiserver.kubeconfig)


def _restore(namespace: str, identity: str = _NAME, account: Account = WRITER) -> Any:
    source: Any = copy.deepcopy(cronjob(_POSTGRESQL, certificates="pem"))
    source["metadata"]["namespace"] = namespace
    source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"] = "sa"
    return build_restore_job(
        source,
        _POSTGRESQL,
        Target(cronjob=source),
        RestoreJob(
            backup="latest",
            request=RestoreRequest(),
            identity=SecretKey(secret=identity, key="key.txt"),
            requested_by="ada",
        ),
        VerbJob(name=_NAME, verb="restore", deadline=60, keep=60, account=account),
    )


def _prove(namespace: str, secret: str) -> Any:
    source: Any = copy.deepcopy(cronjob(_POSTGRESQL))
    source["metadata"]["namespace"] = namespace
    source["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"] = "sa"
    wanted = VerbJob(name="ksnapshot-proof-x-12345678-abcde", verb=PROVE, deadline=60, keep=60)
    return build_prove_job(source, wanted, SecretKey(secret=secret, key="signing.pem"))


def _changed(namespace: str, change: Callable[[Any], None]) -> Any:
    job = copy.deepcopy(_restore(namespace))
    change(job["spec"]["template"]["spec"])
    return job


def _create(as_whom: ApiServer | Api, job: Any) -> int:
    """The status of an attempt that stores nothing, of a Job or a CronJob."""
    kind = f"{job['kind'].lower()}s"
    path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/{kind}"
    api = as_whom.api if isinstance(as_whom, ApiServer) else as_whom
    try:
        api.request("POST", path, job, query={"dryRun": "All"})
    except ApiError as error:
        return error.code
    return 201


def _env(name: str, secret: str) -> Any:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": "x"}}}


_REFUSED: dict[str, Callable[[Any], None]] = {
    "image": lambda pod: pod["containers"][1].update(image="busybox"),
    "init": lambda pod: pod.update(initContainers=[{"name": "i", "image": "busybox"}]),
    "account": lambda pod: pod.update(serviceAccountName="ksnapshot"),
    "token": lambda pod: pod.update(automountServiceAccountToken=True),
    "secret": lambda pod: pod["containers"][1]["env"].append(_env("X", "tenant")),
    "identity in a variable": lambda pod: pod["containers"][0]["env"].append(
        _env("X", "operators")
    ),
    "key that signs in a variable": lambda pod: pod["containers"][0]["env"].append(
        _env("X", "proof-key")
    ),
    "all of a secret": lambda pod: pod["containers"][0].update(
        envFrom=[{"secretRef": {"name": "tenant"}}]
    ),
    "mounted secret": lambda pod: pod["volumes"].append(
        {"name": "x", "secret": {"secretName": "tenant"}}
    ),
    "projected": lambda pod: pod["volumes"].append(
        {"name": "x", "projected": {"sources": [{"secret": {"name": "tenant"}}]}}
    ),
    "host path": lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "host network": lambda pod: pod.update(hostNetwork=True),
    "command": lambda pod: pod["containers"][0].update(command=["sh"]),
    "a command at its begin": lambda pod: pod["containers"][0].update(
        lifecycle={"postStart": {"exec": {"command": ["sh"]}}}
    ),
    "a command as its probe": lambda pod: pod["containers"][0].update(livenessProbe=_PROBE),
    "a command as another probe": lambda pod: pod["containers"][0].update(readinessProbe=_PROBE),
    "a command as a third probe": lambda pod: pod["containers"][0].update(startupProbe=_PROBE),
    "code from elsewhere": lambda pod: pod["containers"][0]["env"].append(
        {"name": "PYTHONPATH", "value": "/run/ksnapshot/exchange"}
    ),
    "a library from elsewhere": lambda pod: pod["containers"][0]["env"].append(
        {"name": "LD_PRELOAD", "value": "/run/ksnapshot/exchange/x.so"}
    ),
}


def _update(apiserver: ApiServer, job: Any) -> int:
    """The status of an attempt to replace a Job."""
    meta = job["metadata"]
    path = f"/apis/batch/v1/namespaces/{meta['namespace']}/jobs/{meta['name']}"
    try:
        apiserver.api.request("PUT", path, job)
    except ApiError as error:
        return error.code
    return 200


def test_a_job_of_another_release_begins_and_cannot_be_made_another_one(
    apiserver: ApiServer,
) -> None:
    namespace = apiserver.create_namespace(f"guarded-{secrets.token_hex(4)}")
    job = _changed(namespace, lambda pod: pod["containers"][0].update(image="dumper:old"))
    job["metadata"]["name"] = "waiting"
    job["spec"]["suspend"] = True
    waiting = apiserver.api.create(job)
    with _policy(apiserver, namespace):
        # Of a suspended Job Kubernetes itself lets this much of the template be changed.
        changed = copy.deepcopy(waiting)
        changed["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
        assert _update(apiserver, changed) == 403
        waiting["spec"]["suspend"] = False
        assert _update(apiserver, waiting) == 200
        # What makes Jobs is looked at in full.
        assert _create(apiserver, job) == 403


def test_jobs_of_the_product_pass_and_others_do_not(apiserver: ApiServer, guarded: str) -> None:
    assert _create(apiserver, _restore(guarded)) == 201
    assert _create(apiserver, _restore(guarded, identity="kept-identity")) == 201
    assert _create(apiserver, _restore(guarded, identity="operators")) == 201
    assert _create(apiserver, _restore(guarded, identity="tenants-secret")) == 403
    assert _create(apiserver, _prove(guarded, "proof-key")) == 201
    assert _create(apiserver, _prove(guarded, "tenants-secret")) == 403
    reader = Account(secret="reading", service_account="reader")
    assert _create(apiserver, _restore(guarded, account=reader)) == 201
    for wrong in (replace(reader, secret="other"), replace(reader, service_account="other")):
        assert _create(apiserver, _restore(guarded, account=wrong)) == 403
    taken = {
        name: status
        for name, change in _REFUSED.items()
        if (status := _create(apiserver, _changed(guarded, change))) != 403
    }
    assert taken == {}
    # The policy ends at the namespace.
    other = apiserver.create_namespace(f"other-{secrets.token_hex(4)}")
    assert _create(apiserver, _changed(other, _REFUSED["image"])) == 201


def test_what_verifies_by_a_schedule_passes_with_the_readers_account_alone(
    apiserver: ApiServer, guarded: str
) -> None:
    env = {
        "CONTROL_NAMESPACE": guarded,
        "BACKUP_SECRET_NAME": "keys",
        "BACKUP_JOB_SERVICE_ACCOUNT_NAME": "sa",
        "READER_SECRET_NAME": "reading",
        "READER_SERVICE_ACCOUNT_NAME": "reader",
        "IDENTITY_SECRET": "operators/key.txt",
    }

    def status_with(**changed: str) -> int:
        made = build_verify_cronjob(verified(), settings(**env | changed), "cluster", None)
        return _create(apiserver, overlay(None, made))

    assert status_with() == 201
    assert status_with(IDENTITY_SECRET="") == 201
    assert status_with(IDENTITY_SECRET="tenants-secret") == 403
    assert status_with(READER_SECRET_NAME="other") == 403
    assert status_with(READER_SERVICE_ACCOUNT_NAME="other") == 403


def _drill(namespace: str, image: str = _POSTGRES, size: int | None = None) -> Any:
    env = {
        "CONTROL_NAMESPACE": namespace,
        "BACKUP_SECRET_NAME": "keys",
        "BACKUP_JOB_SERVICE_ACCOUNT_NAME": "sa",
        "IDENTITY_SECRET": "operators/key.txt",
    }
    drilled = Drilled(server=SERVER, image=image, room=size)
    made = build_drill_cronjob(drilled_spec(), settings(**env), "cluster", None, drilled)
    return overlay(None, made)


_SERVER_REFUSED: dict[str, Callable[[Any], None]] = {
    "its name": lambda pod: pod["initContainers"][0].update(name="other"),
    "no sidecar": lambda pod: pod["initContainers"][0].pop("restartPolicy"),
    "of the others": lambda pod: pod["containers"][1].update(image=_POSTGRES),
    "their command": lambda pod: pod["containers"][1].update(command=["sh"]),
    "the identity": lambda pod: pod["initContainers"][0]["volumeMounts"].append(
        {"name": "identity", "mountPath": "/x"}
    ),
    "the exchange": lambda pod: pod["initContainers"][0]["volumeMounts"].append(
        {"name": "exchange", "mountPath": "/x"}
    ),
    "a Secret of its volume's name": lambda pod: pod["volumes"][4].update(
        emptyDir=None, secret={"secretName": "operators"}
    ),
    "the keys": lambda pod: pod["initContainers"][0].update(env=[_env("X", "keys")]),
    "all keys": lambda pod: pod["initContainers"][0].update(
        envFrom=[{"secretRef": {"name": "keys"}}]
    ),
    "a token": lambda pod: pod.update(automountServiceAccountToken=True),
    "the others' processes": lambda pod: pod.update(shareProcessNamespace=True),
    "somebody's data": lambda pod: pod["volumes"][4].update(
        emptyDir=None,
        ephemeral={
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                    "dataSource": {"kind": "PersistentVolumeClaim", "name": "tenants"},
                }
            }
        },
    ),
    "its volume at the reader": lambda pod: pod["containers"][0]["volumeMounts"].append(
        {"name": "drill", "mountPath": "/run/ksnapshot/x"}
    ),
    "its scratch space at the reader": lambda pod: pod["containers"][0]["volumeMounts"].append(
        {"name": "tmp-server", "mountPath": "/run/ksnapshot/x"}
    ),
    "the keys at the client": lambda pod: pod["containers"][1]["env"].append(_env("X", "keys")),
    "the identity at the client": lambda pod: pod["containers"][1]["volumeMounts"].append(
        {"name": "identity", "mountPath": "/x"}
    ),
    "code of the client's at the reader": lambda pod: pod["containers"][0]["volumeMounts"].append(
        {"name": "exchange", "mountPath": "/opt/ksnapshot/app"}
    ),
    "settings of the client's at the reader": lambda pod: pod["containers"][0]["env"].append(
        {"name": "AWS_CONFIG_FILE", "value": "/run/ksnapshot/exchange/config"}
    ),
    "another volume of the pod's": lambda pod: pod["volumes"].append(
        {"name": "x", "downwardAPI": {"items": []}}
    ),
}


def test_drills_pass_with_the_images_that_may_run_alone(apiserver: ApiServer, guarded: str) -> None:
    taken = {
        image: _create(apiserver, _drill(guarded, image))
        for image in (
            _POSTGRES,
            "docker.io/library/mariadb:11@sha256:0123",
            "docker.io/postgis/postgis:16-3.4",
            "r.example/mysql:8.4",
            "registry.example/postgres:16",
            "tenant/postgres:16",
            "rxexample/mysql:8.4",
            "r.example/mysql:8.4/x",
            "evil/docker.io/library/postgres:16",
            # A node may read another registry into these.
            "postgres:16",
            "postgis/postgis:16-3.4",
            "postgres:5000/evil:1",
        )
    }
    assert [*taken.values()] == [201] * 4 + [403] * 8, taken
    assert _create(apiserver, _drill(guarded, size=64 << 30)) == 201
    passed = {}
    for name, change in _SERVER_REFUSED.items():
        cronjob = copy.deepcopy(_drill(guarded))
        pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["volumes"][4]["name"] == "drill"
        change(pod)
        if (status := _create(apiserver, cronjob)) != 403:
            passed[name] = status
    assert passed == {}


_MAKE_JOBS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}
_DELETE = {
    "apiGroups": ["ksnapshot.clickandmortar.fr"],
    "resources": ["backups"],
    "verbs": ["delete"],
}


def _user(apiserver: ApiServer, namespace: str, user: str, *rules: Any) -> Api:
    """Requests as a user with these rights in the namespace, once the API server knows of them."""
    name = f"role-{secrets.token_hex(4)}"
    meta = {"name": name, "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    api_version = f"{rbac}/v1"
    role = {"apiVersion": api_version, "kind": "Role", "metadata": meta, "rules": [*rules]}
    apiserver.api.create(role)
    apiserver.api.create(
        {
            "apiVersion": api_version,
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "User", "name": user, "apiGroup": rbac}],
        }
    )
    for rule in rules:
        known = partial(may, apiserver.api, user, namespace, rule)
        wait_until(known, seconds=60, what=f"the rights of {user}")
    return apiserver.api_of(user)


@pytest.mark.parametrize(
    "account",
    [
        Account(secret="deleting", service_account="sa"),
        Account(secret="keys", service_account="ksnapshot-prune"),
        Account(secret="deleting", service_account="ksnapshot-prune"),
    ],
)
def test_only_who_may_delete_backups_gets_at_prunes_keys(
    apiserver: ApiServer, guarded: str, account: Account
) -> None:
    def status_for(user: str, *rules: Any) -> int:
        api = _user(apiserver, guarded, user, _MAKE_JOBS, *rules)
        return _create(api, _restore(guarded, account=account))

    assert status_for("adam") == 403
    assert status_for("dora", _DELETE) == 201
    # Whoever makes the Jobs of CronJobs.
    assert status_for("system:serviceaccount:kube-system:cronjob-controller") == 201
