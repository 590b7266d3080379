"""Talking to the cluster as a person does: through kubectl and helm.

The testbed's own cluster is asked for objects without a process each time: waiting asks often.
"""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.testbed.cluster.kubeapi import ApiError, UnreachableError
from tests.testbed.cluster.one_node import Cluster, ClusterError
from tests.testbed.toolchain.tools import tool

T = TypeVar("T")
Object = dict[str, Any]
_POLL_SECONDS = 0.3
# What is asked for often, in the words of kubectl.
_KINDS = {
    **dict.fromkeys(("pod", "pods"), ("v1", "Pod")),
    **dict.fromkeys(("job", "jobs"), ("batch/v1", "Job")),
    **dict.fromkeys(("cronjob", "cronjobs"), ("batch/v1", "CronJob")),
    "configmap": ("v1", "ConfigMap"),
    "events": ("v1", "Event"),
    "pvc": ("v1", "PersistentVolumeClaim"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kube:
    """One cluster, with what the demo and the end-to-end tests ask of it."""

    cluster: Cluster

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints; ClusterError with what it complains of."""
        return self.cluster.kubectl(*arguments, stdin=stdin)

    def apply(self, *objects: Object) -> None:
        """Make the objects so."""
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=document)

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        """The object, None if there is none."""
        if (known := self._known(kind)) is not None:
            with _told():
                found = self.cluster.api().get(*known, namespace, name)
            return None if found is None else _shown(found, *known)
        text = self.run("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """All objects of a kind, of a label selector."""
        if (known := self._known(kind)) is not None:
            with _told():
                listed = self.cluster.api().list(*known, namespace, labelSelector=selector)
            return [_shown(item, *known) for item in listed]
        command = ["get", kind, "-n", namespace, "-o", "json", "--selector", selector]
        items: list[Object] = json.loads(self.run(*command))["items"]
        return items

    def _known(self, kind: str) -> tuple[str, str] | None:
        """Version and kind, where the cluster can be asked without kubectl."""
        return None if self.cluster.layout is None else _KINDS.get(kind)

    def execute(self, pod: str, namespace: str, *command: str, stdin: str | None = None) -> str:
        """What a command in the pod's container prints."""
        flags = ["-i"] if stdin is not None else []
        return self.run("exec", *flags, "-n", namespace, pod, "--", *command, stdin=stdin)

    def wait(self, what: str, probe: Callable[[], T | None], *, seconds: float = 180) -> T:
        """Ask until the probe gives something; ClusterError names what did not come."""
        ends = time.monotonic() + seconds
        while True:
            found = probe()
            if found:
                return found
            if time.monotonic() > ends:
                raise ClusterError(f"waited {seconds:.0f} s in vain for {what}")
            time.sleep(_POLL_SECONDS)

    def follow(self, pod: str, namespace: str) -> Iterator[str]:
        """The lines of a pod's log until it ends."""
        command = [str(tool("kubectl")), f"--kubeconfig={self.cluster.kubeconfig}", "logs"]
        with subprocess.Popen(
            [*command, "--follow", "-n", namespace, pod],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            yield from process.stdout

    def helm(self, *arguments: str) -> str:
        """What helm prints; ClusterError with what it complains of."""
        command = [str(tool("helm")), f"--kubeconfig={self.cluster.kubeconfig}", *arguments]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ClusterError(f"helm {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def _told() -> Iterator[None]:
    """Errors as kubectl's would be."""
    try:
        yield
    except (ApiError, UnreachableError) as error:
        raise ClusterError(str(error)) from error


def _shown(item: Object, version: str, kind: str) -> Object:
    """An object as kubectl shows it: those of a list do not say what they are."""
    item["metadata"].pop("managedFields", None)
    return {"apiVersion": version, "kind": kind, **item}


def ended_pod(kube: Kube, job: str, namespace: str) -> Callable[[], Object | None]:
    """Probe for the first pod of a job, once its container has ended."""

    def probe() -> Object | None:
        for pod in kube.list("pods", namespace, f"batch.kubernetes.io/job-name={job}"):
            if terminated(pod):
                return pod
        return None

    return probe


def terminated(pod: Object) -> Object | None:
    """How the pod's only container ended: exit code and message; None while it has not."""
    for status in pod["status"].get("containerStatuses", []):
        ended: Object | None = status["state"].get("terminated")
        return ended
    return None


def log_fields(line: str) -> Object:
    """The fields of one JSON log line, as it is if it is none."""
    try:
        fields: Object = json.loads(line)
    except ValueError:
        return {"message": line.rstrip()}
    return fields if isinstance(fields, dict) else {"message": line.rstrip()}
