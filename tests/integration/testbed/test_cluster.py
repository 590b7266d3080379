import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.paths import REPOSITORY
from tests.testbed.cluster import images, one_node
from tests.testbed.cluster.layout import CGROUP, cgroup_hierarchies, state_folder
from tests.testbed.toolchain import packages
from tests.testbed.toolchain.processes import wait_until
from tests.testbed.toolchain.require import require, require_root

_POD = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  containers:
    - name: web
      image: {images.BASE}
      imagePullPolicy: Never
      command: [python3, -m, http.server, "8000"]
      securityContext: {{runAsUser: 65532, readOnlyRootFilesystem: true}}
---
apiVersion: v1
kind: Service
metadata: {{name: site}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8000}}]}}
"""
_ASK = """
import socket, time, urllib.request
deadline = time.monotonic() + 20
while True:
    try:
        print(urllib.request.urlopen("http://site.default.svc.cluster.local/", timeout=2).status)
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
print(socket.gethostbyname("kubernetes.default"))
"""


@pytest.fixture(autouse=True)
def _alone() -> None:
    require_root()
    require(one_node.problem() == "not running", "a cluster is running: taking it down is not ours")


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path("/proc", str(pid), "ns", "pid").readlink())
    except FileNotFoundError:
        return _pid_namespace(os.getpid())


def _traces() -> dict[str, object]:
    """What of this machine a cluster could change."""

    def lines(*command: str) -> set[str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return {line for line in done.stdout.splitlines() if not line.startswith(("#", ":"))}

    here = _pid_namespace(os.getpid())
    running = {"containerd", "kubelet", "etcd", "coredns", "kube-apiserver", "kube-proxy"}
    settings = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
    return {
        "mounts": Path("/proc/mounts").read_text(),
        "links": {path.name for path in Path("/sys/class/net").iterdir()},
        "rules": lines(packages.command("iptables-save", "iptables")),
        # Others may run an API server beside this: a cluster's has a pid namespace of its own.
        "processes": {
            (process.pid, process.info["name"])
            for process in psutil.process_iter(["name"])
            if process.info["name"] in running and _pid_namespace(process.pid) != here
        },
        "cgroups": [folder for folder in cgroup_hierarchies() if (folder / CGROUP).exists()],
        "folders": [
            path
            for path in (state_folder(), Path("/var/lib/cni"), Path("/var/lib/kubelet"))
            if path.exists()
        ],
        "settings": [Path("/proc/sys", name).read_text() for name in settings],
    }


def test_pods_and_services_work_and_nothing_is_left() -> None:
    before = _traces()
    try:
        running = one_node.up()
        assert running.started
        assert not one_node.up().started
        running.load_image(images.base_image())
        running.kubectl("apply", "--filename=-", stdin=_POD)
        running.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
        said = running.kubectl("exec", "web", "--", "python3", "-c", _ASK)
        assert said.split() == ["200", "10.96.0.1"]
        assert "GET /" in running.kubectl("logs", "web")
        # Inside, kubelet, containerd and kube-proxy have left their traces; outside, nobody sees.
        assert _traces()["mounts"] == before["mounts"]
        assert _traces()["rules"] == before["rules"]
    finally:
        one_node.down()
    assert _traces() == before


@pytest.mark.parametrize("mark", ["layout.json", "wants-link", "etcd", "kubelet.yaml"])
def test_a_killed_up_leaves_nothing_that_down_misses(mark: str) -> None:
    before = _traces()
    starting = subprocess.Popen(
        [sys.executable, "-m", "tests.testbed.cluster.one_node", "up"],
        cwd=REPOSITORY,
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until((state_folder() / mark).exists, seconds=60, what=mark)
    finally:
        starting.send_signal(signal.SIGKILL)
        starting.wait()
    # Before anyone cleans up, all that ran has ended by itself.
    wait_until(
        lambda: _traces()["processes"] == before["processes"], seconds=20, what="the end of all"
    )
    assert one_node.problem() == "not running"
    one_node.down()
    assert _traces() == before
