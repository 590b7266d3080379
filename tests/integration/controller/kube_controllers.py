"""A real API server with some of Kubernetes' own controllers, for as long as a test runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.testbed.cluster import apiserver as testbed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain import processes
from tests.testbed.toolchain.require import require_linux
from tests.testbed.toolchain.tools import build_all, tool


@contextmanager
def api_server_with(controllers: str, folder: Path) -> Iterator[ApiServer]:
    """An API server of its own: what other tests leave must not begin to run.

    `controllers` are names with commas between; `folder` takes certificates and the log.
    """
    require_linux()
    build_all(["kube-controller-manager"])
    with testbed.start() as server:
        manager = processes.start(
            "kube-controller-manager",
            [
                tool("kube-controller-manager"),
                f"--kubeconfig={server.kubeconfig}",
                f"--cert-dir={folder}",
                f"--secure-port={processes.free_port()}",
                f"--controllers={controllers}",
                "--leader-elect=false",
            ],
            log=folder / "controller-manager.log",
        )
        yield server
        manager.kill()
