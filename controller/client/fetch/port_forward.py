"""A way from this machine's loopback to that of a pod, by `kubectl port-forward`."""

import queue
import re
import subprocess
import tempfile
import threading

from controller.kube.client import UnavailableError
from controller.kube.kubectl import Kubectl
from controller.kube.kubectl_errors import error_of

_READY = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> ")
_SECONDS = 30.0


class PortForward:
    """A port of loopback that leads to one of a pod's, as `port`; raises KubeError if none does."""

    def __init__(self, kubectl: Kubectl, namespace: str, pod: str, port: int) -> None:
        self._call = f"port-forward to {namespace}/{pod}"
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  it outlives this call
        command = [*kubectl.command, "port-forward", "--namespace", namespace]
        command += ["--address", "127.0.0.1", f"pod/{pod}", f":{port}"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
        except OSError as error:
            self._said.close()
            raise UnavailableError(f"kubectl cannot be run: {error.strerror}") from error
        ready: queue.Queue[int] = queue.Queue()
        threading.Thread(target=self._read, args=(ready,), daemon=True).start()
        try:
            self.port = ready.get(timeout=_SECONDS)
        except queue.Empty:
            self.port = 0
        if not self.port:
            failure = self._failure()
            self.close()
            raise failure

    @property
    def is_up(self) -> bool:
        """Whether kubectl still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _read(self, ready: "queue.Queue[int]") -> None:
        """Read all that kubectl says: it says a line for each connection."""
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                if found := _READY.match(line):
                    ready.put(int(found[1]))
        ready.put(0)

    def _failure(self) -> Exception:
        if self.is_up:
            return UnavailableError(f"{self._call}: kubectl gave no answer")
        self._said.seek(0)
        return error_of(self._call, self._said.read().decode(errors="replace"))
