"""The first process of the cluster's own namespaces: when it ends, the kernel ends all the rest.

Started by `cluster.up` through unshare(1) with the state folder as argument and a pipe as stdin:
until `up` has written a byte there, the end of `up` is the end of the cluster.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.testbed.cluster import config
from tests.testbed.cluster.kubeapi import Api, ApiError, Identity, UnreachableError
from tests.testbed.cluster.layout import DNS_ADDRESS, NODE, Layout, load
from tests.testbed.toolchain import processes

_LOOK_SECONDS = 0.5
# kubelet sets these for the whole machine; it gets files of this namespace to write to instead.
_KERNEL_SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def main(state: Path) -> int:
    """Forks: this process only reaps orphans, its child starts and watches the servers."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _supervise(load(state))
        except BaseException as error:  # noqa: BLE001 - whatever it is, `up` has to hear of it
            (state / "failed").write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)
    while True:
        ended, _ = os.wait()
        if ended == child:
            return 1


def _supervise(layout: Layout) -> int:
    threading.Thread(target=_mind_up, daemon=True).start()
    _mounts(layout)
    _network(layout)
    servers = _start(layout)
    (layout.folder / "ready").touch()
    while all(server.running() for server in servers):
        time.sleep(_LOOK_SECONDS)
    ended = [server for server in servers if not server.running()]
    raise RuntimeError("\n".join(f"{server.name} ended:\n{server.tail()}" for server in ended))


def _mind_up() -> None:
    """Ends everything where `up` ends without its byte: it was interrupted."""
    if not os.read(0, 1):
        os._exit(1)


def _mounts(layout: Layout) -> None:
    """Own versions of the folders that containerd, kubelet and CNI use whatever one tells them."""
    private = layout.folder / "private"
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for path in ("/var/log", "/var/lib/cni", "/var/lib/kubelet"):
        own = private / path.strip("/").replace("/", "-")
        own.mkdir(parents=True)
        _run("mount", "--bind", own, path)
    for name in _KERNEL_SETTINGS:
        setting = Path("/proc/sys", name)
        if setting.exists():
            own = private / name.replace("/", "-")
            own.write_bytes(setting.read_bytes())
            _run("mount", "--bind", own, setting)
    # Volumes are shared with containers; unshare made every mount private.
    _run("mount", "--make-rshared", "/")


def _network(layout: Layout) -> None:
    (layout.folder / "wants-link").touch()
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{DNS_ADDRESS}/32", "dev", "lo")
    link = Path("/proc/net/dev")
    processes.wait_until(lambda: "eth0:" in link.read_text(), seconds=20, what="the link")
    _run("ip", "address", "add", f"{layout.node_address}/{layout.prefix}", "dev", "eth0")
    _run("ip", "link", "set", "eth0", "up")
    _run("ip", "route", "add", "default", "via", layout.host_address)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _run("hostname", NODE)


def _start(layout: Layout) -> list[processes.Server]:
    folder = layout.folder
    logs = folder / "logs"
    keys = folder / "pki"
    identity = Identity(cert=keys / "admin.crt", key=keys / "admin.key")
    api = Api(layout.url, keys / "ca.crt", identity)
    node_path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"

    def start(
        name: str,
        command: config.Command,
        ready: Callable[[], object] = lambda: True,
        seconds: float = 60,
    ) -> processes.Server:
        return processes.start(
            name,
            command,
            log=logs / f"{name}.log",
            ready=ready,
            seconds=seconds,
            env={"PATH": node_path},
            cwd=folder,
        )

    servers = [
        start("containerd", config.containerd(layout)),
        start("etcd", config.etcd(layout), lambda: processes.listens(2379)),
        start("apiserver", config.apiserver(layout), lambda: _answers(api)),
    ]
    servers += [
        start("controller-manager", config.controller_manager(layout)),
        start("scheduler", config.scheduler(layout)),
        start("proxy", config.proxy(layout)),
        start("coredns", config.coredns(layout)),
    ]
    processes.wait_until(layout.containerd_socket.exists, seconds=30, what="containerd")
    where = ["--address", str(layout.containerd_socket), "--namespace", "k8s.io"]
    _run(layout.tools["ctr"], *where, "images", "import", folder / "pause.tar")
    servers.append(start("kubelet", config.kubelet(layout)))

    def whole() -> bool:
        dead = [server for server in servers if not server.running()]
        if dead:
            raise processes.NotReadyError(f"{dead[0].name} ended:\n{dead[0].tail()}")
        return (
            node_ready(api)
            and _ok("http://127.0.0.1:8181/ready")
            and _ok("http://127.0.0.1:10256/healthz")
            and api.get("v1", "ServiceAccount", "default", "default") is not None
        )

    processes.wait_until(whole, seconds=90, what="a ready node, DNS and Services")
    return servers


def node_ready(api: Api) -> bool:
    """Whether the kubelet says that it can run pods."""
    node = api.get("v1", "Node", None, NODE)
    conditions = node["status"].get("conditions", []) if node else []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _answers(api: Api) -> bool:
    try:
        api.request("GET", "/readyz", seconds=2)
    except (ApiError, UnreachableError):
        return False
    return True


def _ok(url: str) -> bool:
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _run(*command: str | Path) -> None:
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    program = shutil.which(str(command[0]), path=search) or str(command[0])
    done = subprocess.run(
        [program, *map(str, command[1:])], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
