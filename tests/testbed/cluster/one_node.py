"""A real one-node Kubernetes cluster in namespaces of its own; needs root, and no container engine.

Everything runs under one process in new pid, mount, network, uts and ipc namespaces. When that
process ends, the kernel ends the rest and takes mounts, links and packet filter rules along; what
`down` has to remove is that process, the cgroups and the state folder.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.paths import REPOSITORY
from tests.testbed.cluster.config import CNI_PROGRAMS
from tests.testbed.cluster.images import pause_image
from tests.testbed.cluster.init import node_ready
from tests.testbed.cluster.kubeapi import Api, ApiError, Identity, UnreachableError
from tests.testbed.cluster.layout import (
    CGROUP,
    HOST_LINK,
    INIT,
    Layout,
    cgroup_hierarchies,
    free_link,
    load,
    state_folder,
    write_identities,
)
from tests.testbed.cluster.removal import clean, inits, remains
from tests.testbed.toolchain import cache, packages, processes
from tests.testbed.toolchain.progress import progress, say
from tests.testbed.toolchain.tools import build_all, tool

TOOLS = (
    *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"),
    *("kube-proxy", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "coredns", "pause"),
)
_COMMANDS = {
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "socat": "socat",
    "ip": "iproute2",
    "unshare": "util-linux",
    "hostname": "hostname",
}
_FOLDERS = (Path("/var/lib/cni"), Path("/var/lib/kubelet"))
"""Must exist to be covered inside; `down` removes those that `up` had to make."""
_READY_SECONDS = 150
# By the server's URL: when its certificates were made, as another cluster may have the same one.
_APIS: dict[str, tuple[int, Api]] = {}


class ClusterError(RuntimeError):
    """The cluster did not come up, or is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running cluster: the testbed's, or (without `layout`) one of the person's own."""

    kubeconfig: Path
    started: bool = False
    """Whether this `up` started it; False where it ran already."""
    layout: Layout | None = None

    @property
    def host_address(self) -> str:
        """Where pods reach servers of this host that listen on every address."""
        return self._own().host_address

    def load_image(self, archive: Path) -> None:
        """Makes the image of an OCI archive known to the node, under the name it was built as."""
        with progress(f"load {archive.parent.name}"):
            _run([*self.ctr(), "images", "import", str(archive)])

    def ctr(self) -> list[str]:
        """containerd's own client, for what kubectl cannot show."""
        layout = self._own()
        where = ["--address", str(layout.containerd_socket), "--namespace", "k8s.io"]
        return [layout.tools["ctr"], *where]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints; ClusterError with its stderr."""
        command = [str(tool("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        return _run(command, stdin=stdin)

    def api(self) -> Api:
        """The API server, asked as its admin; one for all that ask this cluster."""
        layout = self._own()
        made = (layout.folder / "pki/admin.crt").stat().st_mtime_ns
        if layout.url not in _APIS or _APIS[layout.url][0] != made:
            _APIS[layout.url] = (made, _api_of(layout))
        return _APIS[layout.url][1]

    def _own(self) -> Layout:
        if self.layout is None:
            raise ClusterError("this cluster is not the testbed's: bring its images in yourself")
        return self.layout


def from_environment() -> Cluster | None:
    """The cluster of KUBECONFIG; None where that is not set, or names the testbed's own."""
    path = os.environ.get("KUBECONFIG")
    if not path or Path(path).is_relative_to(state_folder()):
        return None
    return Cluster(kubeconfig=Path(path))


def up() -> Cluster:
    """The running cluster, started when there is none or a broken one; about 15 s once built."""
    with cache.lock("cluster"):
        state = state_folder()
        if not problem():
            return _cluster(load(state), started=False)
        _prepare()
        if remains(state):
            say("taking down what an earlier cluster left")
            clean(state)
        with progress("cluster up"):
            try:
                return _bring_up(state)
            except BaseException:
                clean(state)
                raise


def down() -> None:
    """Ends the cluster and removes all that it made; nothing there is as good."""
    with cache.lock("cluster"):
        if remains(state_folder()):
            with progress("cluster down"):
                clean(state_folder())


def problem() -> str:
    """Why the cluster cannot be used; empty where it can."""
    state = state_folder()
    if not (state / "ready").exists():
        return "not running"
    if not inits(state):
        return "ended: " + _reason(state)
    api = _api_of(load(state))
    try:
        api.request("GET", "/readyz", seconds=5)
        return "" if node_ready(api) else "the node is not ready"
    except (ApiError, UnreachableError) as error:
        return f"the API server does not answer: {error}"


def _api_of(layout: Layout) -> Api:
    keys = layout.folder / "pki"
    identity = Identity(cert=keys / "admin.crt", key=keys / "admin.key")
    return Api(layout.url, keys / "ca.crt", identity)


def _prepare() -> None:
    if os.geteuid() != 0:
        raise ClusterError("the cluster needs root; or point KUBECONFIG at a cluster of yours")
    for name, package in _COMMANDS.items():
        packages.command(name, package)
    if not (CNI_PROGRAMS / "ptp").exists():
        packages.install("containernetworking-plugins")
    build_all(TOOLS)
    pause_image()


def _bring_up(state: Path) -> Cluster:
    state.mkdir(parents=True, mode=0o711)
    made = [str(folder) for folder in _FOLDERS if not folder.exists()]
    # Written before they are made, so that an interruption between leaves nothing unknown.
    (state / "made.json").write_text(json.dumps(made))
    for folder in made:
        Path(folder).mkdir()
    link = free_link()
    host, node = list(link.hosts())
    layout = Layout(
        state=str(state),
        tools={name: str(tool(name)) for name in TOOLS},
        snapshotter="native" if _on_overlay(state) else "overlayfs",
        host_address=str(host),
        node_address=str(node),
        prefix=link.prefixlen,
    )
    layout.save()
    write_identities(layout)
    (state / "logs").mkdir()
    shutil.copy(pause_image(), state / "pause.tar")
    for hierarchy in cgroup_hierarchies():
        (hierarchy / CGROUP).mkdir(exist_ok=True)
    command = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"]
    command += ["--mount-proc", sys.executable, "-m", INIT, str(state)]
    with (state / "logs/init.log").open("wb") as log:
        init = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
        )

    def reached(mark: str) -> bool:
        if init.poll() is not None or (state / "failed").exists():
            raise ClusterError(f"the cluster did not come up: {_reason(state)}")
        return (state / mark).exists()

    processes.wait_until(lambda: reached("wants-link"), seconds=20, what="the namespaces")
    # unshare(1) itself sits in the new network namespace, as its child does.
    ends = ["name", HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", str(init.pid)]
    _run(["ip", "link", "add", *ends])
    _run(["ip", "address", "add", f"{host}/{link.prefixlen}", "dev", HOST_LINK])
    _run(["ip", "link", "set", HOST_LINK, "up"])
    processes.wait_until(lambda: reached("ready"), seconds=_READY_SECONDS, what="the cluster")
    assert init.stdin is not None
    init.stdin.write(b".")
    init.stdin.close()
    # It outlives this process; Python would warn that nobody waits for it.
    init.returncode = 0
    return _cluster(layout, started=True)


def _cluster(layout: Layout, *, started: bool) -> Cluster:
    return Cluster(kubeconfig=layout.folder / "admin.kubeconfig", started=started, layout=layout)


def _reason(state: Path) -> str:
    for name in ("failed", "logs/init.log"):
        with contextlib.suppress(OSError):
            if text := (state / name).read_text(errors="replace").strip():
                return text[-3000:]
    return "no reason left"


def _on_overlay(folder: Path) -> bool:
    done = _run(["stat", "--file-system", "--format=%T", str(folder)])
    return done.strip() == "overlayfs"


def _run(command: Sequence[str], *, stdin: str | None = None) -> str:
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    done = subprocess.run(
        [shutil.which(command[0], path=search) or command[0], *command[1:]],
        input=stdin or "",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)[:200]}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """`up`, `down` or `status`; status ends with 1 where the cluster cannot be used."""
    started = time.monotonic()
    match list(arguments):
        case ["up"]:
            cluster = up()
            say(f"ready after {time.monotonic() - started:.1f} s")
            print(f"export KUBECONFIG={cluster.kubeconfig}")
        case ["down"]:
            down()
        case ["status"]:
            found = problem()
            print(found or f"running: {load(state_folder()).url}")
            return 1 if found else 0
        case _:
            print("up | down | status", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
