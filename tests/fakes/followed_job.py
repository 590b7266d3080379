"""A cluster in which one Job and its pods go through given states, one at each look."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any, TypeAlias

from controller.kube.client import JOBS, PODS, Document, KubeError, Resource

# The Job, or the error of reading it, and its pods.
State: TypeAlias = tuple[Document | KubeError, list[Document]]
MESSAGE = '{"succeeded": true}'


def job(condition: str = "", reason: str = "", uid: str = "u") -> Document:
    found = {"type": condition, "status": "True", "reason": reason, "message": "the Job's own"}
    return {
        "metadata": {"name": "j", "uid": uid},
        "status": {"conditions": [found] if condition else []},
    }


def pod(name: str = "j-aaaaa", phase: str = "Running", **states: Any) -> Document:
    return {
        "metadata": {"name": name, "uid": name, "creationTimestamp": f"2026-01-01T03:00:00Z{name}"},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": key, "state": state} for key, state in states.items()],
        },
    }


RUNNING: Document = {"running": {}}
DONE: Document = {"terminated": {"exitCode": 0, "message": MESSAGE}}
FAILED: Document = {"terminated": {"exitCode": 20, "message": "no login", "reason": "Error"}}


def waiting(reason: str, message: str = "") -> Document:
    return {"waiting": {"reason": reason, "message": message}}


@dataclass(slots=True)
class Log:
    """Lines of a log, and the error by which it breaks off; a silent one ends by its close."""

    lines: Sequence[str]
    error: KubeError | None = None
    silent: bool = False
    closed: Event = field(default_factory=Event)

    def __iter__(self) -> Iterator[str]:
        yield from self.lines
        if self.silent:
            self.closed.wait()
        if self.error:
            raise self.error

    def close(self) -> None:
        self.closed.set()


@dataclass(slots=True)
class Cluster:
    """The states that a Job and its pods go through; the last one stays."""

    states: list[State]
    events: list[Document] | KubeError = field(default_factory=list)
    opened: dict[str, list[Log]] = field(default_factory=dict)
    since: list[str] = field(default_factory=list)
    looks: int = 0

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        assert (resource, namespace, name) == (JOBS, "control", "j")
        found, _ = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        if isinstance(found, KubeError):
            raise found
        return found

    def list(
        self, resource: Resource, namespace: str, selector: str = "", *, fields: str = ""
    ) -> Sequence[Document]:
        if resource is not PODS:
            if isinstance(self.events, KubeError):
                raise self.events
            return self.events
        assert selector == "job-name=j"
        return self.states[min(self.looks, len(self.states)) - 1][1]

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        since: str = "",
        timestamps: bool = False,
    ) -> Log:
        assert follow
        assert timestamps
        self.since.append(since)
        logs = self.opened.get(f"{pod}/{container}") or [Log([])]
        return logs.pop(0) if len(logs) > 1 else logs[0]


def stamped(second: int, text: str) -> str:
    return f"2026-01-01T03:00:{second:02}.123456789Z {text}"
