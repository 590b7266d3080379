"""Where the one-node cluster keeps what, and at which addresses: known to both its sides."""

import ipaddress
import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.testbed.cluster.kubeapi import Identity, write_kubeconfig
from tests.testbed.toolchain import pki

NODE = "testbed"
INIT = "tests.testbed.cluster.init"
CGROUP = "ksnapshot-testbed"
HOST_LINK = "ksnapshot0"
DNS_ADDRESS = "169.254.20.10"
PODS = "10.244.0.0/16"
NODE_PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
API_PORT = 6443
# Two usable addresses each: the host's end and the node's. kubelet refuses link-local ones.
_LINKS = ("172.30.255.252/30", "192.168.254.252/30", "10.254.254.252/30", "198.18.255.252/30")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What `up` decides and the node follows."""

    state: str
    tools: dict[str, str]
    """Program name to path."""
    snapshotter: str
    host_address: str
    node_address: str
    prefix: int

    @property
    def folder(self) -> Path:
        return Path(self.state)

    @property
    def url(self) -> str:
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def containerd_socket(self) -> Path:
        return self.folder / "containerd.sock"

    def save(self) -> None:
        (self.folder / "layout.json").write_text(json.dumps(asdict(self)))


def load(state: Path) -> Layout:
    """What an earlier `up` decided; OSError where there was none."""
    return Layout(**json.loads((state / "layout.json").read_text()))


def state_folder() -> Path:
    """The folder that `down` removes; KSNAPSHOT_CLUSTER moves it."""
    path = Path(os.environ.get("KSNAPSHOT_CLUSTER", "/var/lib/ksnapshot-testbed")).absolute()
    if path.is_relative_to("/run") or path.is_relative_to("/var/log"):
        raise ValueError(f"KSNAPSHOT_CLUSTER={path}: the node has a /run and a /var/log of its own")
    return path


def free_link() -> ipaddress.IPv4Network:
    """A network of two addresses that no route of this host overlaps."""
    routes = json.loads(
        subprocess.run(
            ["ip", "-json", "-4", "route", "show", "table", "all"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    taken = [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in routes
        if route["dst"] != "default"
    ]
    for candidate in map(ipaddress.IPv4Network, _LINKS):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise RuntimeError(f"all of {', '.join(_LINKS)} are in use on this host")


def cgroup_hierarchies() -> list[Path]:
    """The mount points of every cgroup hierarchy: one on v2, many on v1."""
    found: list[Path] = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        kind = source.split()[0]
        where = Path(fields.split()[4])
        if kind in {"cgroup", "cgroup2"} and where.is_relative_to("/sys/fs/cgroup"):
            found.append(where)
    return found


def write_identities(layout: Layout) -> pki.Authority:
    """Certificates and kubeconfigs of the cluster's parts, and the admin's for the host."""
    folder = layout.folder / "pki"
    authority = pki.authority(folder)
    hosts = [layout.node_address, API_SERVICE, "127.0.0.1", "localhost"]
    hosts += ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    authority.server("apiserver", [*hosts, "kubernetes.default.svc.cluster.local"])
    pki.service_account_keys(folder)
    users = {
        "admin": ("testbed-admin", ["system:masters"]),
        "kube-controller-manager": ("system:kube-controller-manager", []),
        "kube-scheduler": ("system:kube-scheduler", []),
        "kube-proxy": ("system:kube-proxy", []),
        "kubelet": (f"system:node:{NODE}", ["system:nodes"]),
        "apiserver-kubelet": ("kube-apiserver", ["system:masters"]),
    }
    for name, (user, groups) in users.items():
        pair = authority.client(name, user, groups)
        identity = Identity(cert=pair.cert, key=pair.key)
        path = layout.folder / f"{name}.kubeconfig"
        write_kubeconfig(path, layout.url, authority.pair.cert, identity)
    return authority
