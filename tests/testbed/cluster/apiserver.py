"""A Kubernetes API server with its etcd, and nothing else of a cluster; needs no root.

No controller runs: pods get their status from the test, namespaces stay when deleted, CronJobs
start nothing, and the aggregated roles (admin, edit, view) are empty.
"""

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

import yaml

from tests.testbed.cluster.kubeapi import (
    Api,
    ApiError,
    Identity,
    UnreachableError,
    write_kubeconfig,
)
from tests.testbed.toolchain import pki, processes, scratch
from tests.testbed.toolchain.tools import build_all, tool

_READY_SECONDS = 60
# Reading the requests' bodies would cost time and hold Secrets; who asked for what is enough.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata"}],
}
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One request that the API server has answered."""

    verb: str
    resource: str
    """Plural, with the subresource where there is one: `pods/status`."""
    namespace: str
    name: str
    user: str
    code: int
    uri: str
    received: float
    answered: float
    """Both in seconds since the epoch, by the API server's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """A running API server; a context manager."""

    port: int
    url: str
    ca: Path
    kubeconfig: Path
    """As an admin (group system:masters)."""
    admin: Identity
    """The same admin, by token."""
    api: Api
    """As the same admin."""
    _folder: Path
    _authority: pki.Authority
    _servers: tuple[processes.Server, ...] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        # Nothing is kept: the API server need not wait for its watches, etcd not for its disk.
        for server in self._servers:
            server.kill()
        scratch.remove(self._folder)

    def kubeconfig_for(
        self, identity: Identity, *, url: str | None = None, ca: Path | None = None
    ) -> Path:
        """A kubeconfig for that identity; `url` and `ca` lead it through a fault proxy.

        A proxy that ends TLS passes tokens on, certificates not.
        """
        path = self._folder / f"user-{secrets.token_hex(4)}.kubeconfig"
        return write_kubeconfig(path, url or self.url, ca or self.ca, identity)

    def account(self, namespace: str, name: str) -> Identity:
        """The token of a service account that exists, as its pods would get it."""
        path = self.api.path("v1", "ServiceAccount", namespace, name) + "/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        return Identity(token=self.api.request("POST", path, body)["status"]["token"])

    def api_of(self, user: str, groups: Sequence[str] = ()) -> Api:
        """Requests as another user."""
        return Api(self.url, self.ca, self.identity_of(user, groups))

    def identity_of(self, user: str, groups: Sequence[str] = ()) -> Identity:
        """A new certificate for any user name, to which a test binds Roles.

        `system:serviceaccount:NAMESPACE:NAME` gets the groups that such an account has.
        """
        account = re.fullmatch(r"system:serviceaccount:([^:]+):[^:]+", user)
        if account:
            groups = [*groups, "system:serviceaccounts", f"system:serviceaccounts:{account[1]}"]
        pair = self._authority.client(f"user-{secrets.token_hex(4)}", user, groups)
        return Identity(cert=pair.cert, key=pair.key)

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """A namespace, with the service account that a controller would add."""
        meta = {"name": name, "labels": labels or {}}
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        account = {"name": "default", "namespace": name}
        self.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        return name

    def audit_mark(self) -> int:
        """A position in the audit log, for `audit_events`; what was asked before lies before."""
        self._flush_audit()
        return self.audit_log.stat().st_size

    def audit_events(self, since: int = 0, *, user: str | None = None) -> list[AuditEvent]:
        """What was asked after that position, without the testbed's own probing."""
        self._flush_audit()
        with self.audit_log.open() as log:
            log.seek(since)
            return [event for event in parse_audit(log) if user in {None, event.user}]

    @property
    def audit_log(self) -> Path:
        """One JSON object a line, for `parse_audit`."""
        return self._folder / "audit.log"

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that answer: the API server and its etcd."""
        return tuple(server.pid for server in self._servers)

    def _flush_audit(self) -> None:
        """An event is written after its answer: waits for that of a request made now."""
        before = self.audit_log.stat().st_size
        marker = f"mark={secrets.token_hex(8)}"
        self.api.request("GET", f"/version?{marker}")

        def written() -> bool:
            with self.audit_log.open() as log:
                log.seek(before)
                return marker in log.read()

        processes.wait_until(written, seconds=10, what="the audit log")


def start() -> ApiServer:
    """A fresh, empty API server on a free loopback port, ready in about 10 s."""
    build_all(["etcd", "kube-apiserver"])
    folder = scratch.make("apiserver")
    authority = pki.authority(folder / "pki")
    etcd_port, peer_port, port = (processes.free_port() for _ in range(3))
    client_url, peer_url = (f"http://127.0.0.1:{number}" for number in (etcd_port, peer_port))
    command: list[str | Path] = [tool("etcd"), "--unsafe-no-fsync", "--log-level=warn"]
    command += [f"--data-dir={folder / 'etcd'}", f"--initial-cluster=default={peer_url}"]
    command += [f"--listen-client-urls={client_url}", f"--advertise-client-urls={client_url}"]
    command += [f"--listen-peer-urls={peer_url}", f"--initial-advertise-peer-urls={peer_url}"]
    etcd = processes.start(
        "etcd",
        command,
        log=folder / "etcd.log",
        ready=lambda: processes.listens(etcd_port),
    )
    token = secrets.token_hex(20)
    url = f"https://127.0.0.1:{port}"
    admin = Identity(token=token)
    api = Api(url, authority.pair.cert, admin)
    try:
        server = processes.start(
            "kube-apiserver",
            _command(folder, authority, token, port, client_url),
            log=folder / "apiserver.log",
            ready=lambda: _ready(api),
            seconds=_READY_SECONDS,
        )
    except BaseException:
        etcd.kill()
        raise
    kubeconfig = write_kubeconfig(folder / "admin.kubeconfig", url, authority.pair.cert, admin)
    return ApiServer(
        port=port,
        url=url,
        ca=authority.pair.cert,
        kubeconfig=kubeconfig,
        admin=admin,
        api=api,
        _folder=folder,
        _authority=authority,
        _servers=(server, etcd),
    )


def _command(
    folder: Path, authority: pki.Authority, token: str, port: int, etcd: str
) -> list[str | Path]:
    serving = authority.server("apiserver", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
    accounts = pki.service_account_keys(folder)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},testbed-admin,admin,"system:masters"\n')
    policy = folder / "audit-policy.yaml"
    policy.write_text(yaml.safe_dump(_AUDIT_POLICY))
    return [
        tool("kube-apiserver"),
        f"--etcd-servers={etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        # Without an address of its own it looks for a default route, which may be missing.
        "--advertise-address=127.0.0.1",
        f"--cert-dir={folder / 'pki'}",
        f"--tls-cert-file={serving.cert}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={authority.pair.cert}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={accounts.cert}",
        f"--service-account-signing-key-file={accounts.key}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        # No controller makes the service accounts that this plugin asks for.
        "--disable-admission-plugins=ServiceAccount",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={folder / 'audit.log'}",
        # In MiB; it would begin a new file after 100.
        "--audit-log-maxsize=10000",
    ]


def _ready(api: Api) -> bool:
    try:
        api.request("GET", "/readyz", seconds=2)
        # The roles that bindings refer to come in after it calls itself ready.
        return api.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, "view") is not None
    except (ApiError, UnreachableError):
        return False


def parse_audit(lines: Iterable[str]) -> Iterator[AuditEvent]:
    """The requests in these lines of an audit log, without the testbed's own probing."""
    for line in lines:
        event = _event(json.loads(line))
        if not event.uri.startswith(("/readyz", "/version")):
            yield event


def _event(raw: dict[str, object]) -> AuditEvent:
    reference = raw.get("objectRef")
    user, status = raw.get("user"), raw.get("responseStatus")
    target = reference if isinstance(reference, dict) else {}
    resource = str(target.get("resource", ""))
    if target.get("subresource"):
        resource += f"/{target['subresource']}"
    return AuditEvent(
        verb=str(raw["verb"]),
        resource=resource,
        namespace=str(target.get("namespace", "")),
        name=str(target.get("name", "")),
        user=str(user["username"]) if isinstance(user, dict) else "",
        code=int(status.get("code", 0)) if isinstance(status, dict) else 0,
        uri=str(raw["requestURI"]),
        received=datetime.fromisoformat(str(raw["requestReceivedTimestamp"])).timestamp(),
        answered=datetime.fromisoformat(str(raw["stageTimestamp"])).timestamp(),
    )
