"""A busy cluster on the testbed's API server, and installs of operators in it."""

import dataclasses
import json
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks import objects
from benchmarks.objects import Object, Workload
from tests.integration.chart.helm import render
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Api, Identity, write_kubeconfig
from tests.testbed.toolchain.progress import progress

_THREADS = 16
_OLD_REVISIONS = 3
# Of applications that nobody backs up, in turn; the mean is 5.
_REPLICAS = (3, 5, 8, 2, 6, 4, 7)
_STATEFUL_EVERY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """A control namespace of its own, and the account that an operator works under."""

    control: str
    user: str
    kubeconfig: Path


@dataclass(slots=True, kw_only=True)
class World:
    """What another process needs, too, to run operators in it; `pids` are the API server's."""

    url: str
    ca: Path
    token: str
    audit_log: Path
    pids: tuple[int, ...]
    namespaces: tuple[str, ...]
    workloads: int = 0
    pods: int = 0
    applications: int = 0

    @classmethod
    def load(cls, file: Path) -> Self:
        """Raises OSError where no world is kept in that file."""
        kept = json.loads(file.read_text())
        kept |= {"ca": Path(kept["ca"]), "audit_log": Path(kept["audit_log"])}
        return cls(**kept)

    def save(self, file: Path) -> None:
        file.touch(mode=0o600)
        file.write_text(json.dumps(dataclasses.asdict(self), default=str))

    @property
    def api(self) -> Api:
        """As an admin."""
        return Api(self.url, self.ca, Identity(token=self.token))

    def install(self) -> Install:
        """A fresh control namespace with all that the chart puts into a cluster but its pod."""
        api, control = self.api, f"control-{secrets.token_hex(3)}"
        account = f"{control}-ksnapshot"
        watch = f"--set=rbac.watchNamespaces={{{','.join(self.namespaces)}}}"
        chart = render(watch, release=control, namespace=control)
        _namespace(api, control)
        api.create_all(item for item in chart if item["kind"] != "Deployment")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        path = api.path("v1", "ServiceAccount", control, account) + "/token"
        made = api.request("POST", path, body | {"spec": {"expirationSeconds": 86400}})
        user = f"system:serviceaccount:{control}:{account}"
        kubeconfig = self.ca.parent / f"{control}.kubeconfig"
        write_kubeconfig(kubeconfig, self.url, self.ca, Identity(token=made["status"]["token"]))
        return Install(control=control, user=user, kubeconfig=kubeconfig)

    def grow(self, *, workloads: int, pods: int, engines: Sequence[str]) -> None:
        """Add what lacks: first databases to be backed up, then applications up to `pods` pods."""
        api = self.api
        wanted = [*self._databases(workloads, engines), *self._applications(pods)]
        what = f"making {len(wanted)} workloads, {sum(item.replicas for item in wanted)} pods"
        with progress(what), ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda item: _make(api, item), wanted))

    def _databases(self, workloads: int, engines: Sequence[str]) -> Iterator[Workload]:
        while self.workloads < workloads:
            pair, stateful = divmod(self.workloads, 2)
            workload = Workload(
                kind="StatefulSet" if stateful else "Deployment",
                namespace=self.namespaces[pair % len(self.namespaces)],
                name=f"database-{self.workloads}",
                # 1, 1, 1, 2, 1, 3: replicated databases are StatefulSets.
                replicas=pair % 3 + 1 if stateful else 1,
                engine=engines[pair % len(engines)],
            )
            self.workloads += 1
            self.pods += workload.replicas
            yield workload

    def _applications(self, pods: int) -> Iterator[Workload]:
        while self.pods < pods:
            number = self.applications
            workload = Workload(
                kind="Deployment" if number % _STATEFUL_EVERY else "StatefulSet",
                namespace=self.namespaces[number // _STATEFUL_EVERY % len(self.namespaces)],
                name=f"application-{number}",
                replicas=min(_REPLICAS[number % len(_REPLICAS)], pods - self.pods),
            )
            self.applications += 1
            self.pods += workload.replicas
            yield workload


def on(server: ApiServer, namespaces: int) -> World:
    """An empty world of that many watched namespaces."""
    names = tuple(f"space-{number:02}" for number in range(namespaces))
    for name in names:
        _namespace(server.api, name)
    token = server.admin.token
    assert token is not None
    return World(
        url=server.url,
        ca=server.ca,
        token=token,
        audit_log=server.audit_log,
        pids=server.pids,
        namespaces=names,
    )


def _make(api: Api, workload: Workload) -> None:
    for item in objects.accessories(workload):
        _create(api, item, "helm")
    parent = owner = _create(api, objects.owner(workload), "helm")
    manager = "kube-controller-manager"
    if workload.kind == "Deployment":
        for revision in range(1, _OLD_REVISIONS + 2):
            current = revision > _OLD_REVISIONS
            made = objects.replicaset(workload, owner, revision, current=current)
            parent = _create(api, made, manager)
    for number in range(workload.replicas):
        pod = _create(api, objects.pod(workload, parent, number), manager)
        _report(api, pod, objects.running(pod))


def _create(api: Api, item: Object, manager: str) -> Object:
    path = api.path(item["apiVersion"], item["kind"], item["metadata"]["namespace"])
    return api.request("POST", path, item, query={"fieldManager": manager})


def _report(api: Api, pod: Object, status: Object) -> None:
    """As a kubelet does, in the manner that it does it."""
    path = api.path("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    api.request(
        "PATCH",
        f"{path}/status",
        {"status": status},
        content_type="application/strategic-merge-patch+json",
        query={"fieldManager": "kubelet"},
    )


def _namespace(api: Api, name: str) -> None:
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
