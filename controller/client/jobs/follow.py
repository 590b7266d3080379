"""Follows a Job from its first pod to its end: what it waits for, its log, its result."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from controller.client.jobs.merged_logs import Lines, merge
from controller.client.jobs.progress import (
    JobEnd,
    Outcome,
    describe_retry,
    describe_wait,
    end_of_job,
    has_begun,
    newest_pod,
    state_of,
)
from controller.client.terminal.output import moment_of
from controller.kube.client import (
    EVENTS,
    JOBS,
    PODS,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    Resource,
    UnavailableError,
)
from controller.model.names import CONTAINER
from controller.model.objects import Json, Objects, metadata, name_of, uid_of
from controller.runs.causes.event_causes import events_of_job
from controller.runs.causes.shards import shard_of

_PAUSE = 2.0
# How long a log may be silent before the Job itself is asked for.
_SILENCE = 15.0
# How many looks in a row may get no answer.
_PATIENCE = 15


class Cluster(Protocol):
    """What following a Job asks of a cluster, see Kubectl."""

    def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Read one object."""

    def list(
        self, resource: Resource, namespace: str, selector: str = "", *, fields: str = ""
    ) -> Sequence[Document]:
        """Read all objects of a kind."""

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        since: str = "",
        timestamps: bool = False,
    ) -> Lines:
        """Open a container's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """One Job, not a later one of its name.

    The logs of `containers` are shown, and the termination message of `result_container` is the
    Job's result.
    """

    namespace: str
    name: str
    uid: str
    containers: Sequence[str] = (CONTAINER,)
    result_container: str = CONTAINER

    @classmethod
    def of(cls, job: Json, *, containers: Sequence[str] = (CONTAINER,)) -> Self:
        """The reference to a Job as the API server has it."""
        return cls(
            namespace=str(metadata(job)["namespace"]),
            name=name_of(job),
            uid=uid_of(job),
            containers=containers,
        )


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows one Job.

    `on_line` gets each line of a log with its container, `on_wait` what the Job waits for, over and
    over, and `on_event` what happened otherwise.
    """

    kubectl: Cluster
    job: JobRef
    on_line: Callable[[str, str], None]
    on_wait: Callable[[str], None]
    on_event: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    silence: float = _SILENCE
    _seen: dict[tuple[str, str], str] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def follow(self) -> JobEnd:
        """Follow the Job until it has ended, and return how.

        Raises KubeError when the cluster does not answer for long; KeyboardInterrupt leaves the
        Job as it is.
        """
        failures = 0
        while True:
            try:
                end = self._look()
                failures = 0
            except UnavailableError as error:
                failures += 1
                if failures >= _PATIENCE:
                    raise
                self.on_event(f"no answer, asking again: {error}")
                end = None
            if end:
                return end
            self.pause(_PAUSE)

    def _look(self) -> JobEnd | None:
        """Look at the Job once, and show the log of its newest pod for as long as that runs."""
        read = self._read()
        if read is None:
            return JobEnd(outcome=Outcome.GONE)
        job, pods = read
        pod = self._pod(pods)
        if pod and has_begun(pod, self.job.containers) and name_of(pod) not in self._reported:
            self._stream(pod)
            if (read := self._read()) is None:
                return JobEnd(outcome=Outcome.GONE)
            job, pods = read
        events = self._events(job) if pod is None or not has_begun(pod, self.job.containers) else ()
        if end := end_of_job(job, pods, events, self.job.result_container):
            return end
        pod = self._pod(pods)
        if pod and (state_of(pod, self.job.result_container).get("terminated")):
            self._report_once(pod)
        elif pod is None or not has_begun(pod, self.job.containers):
            self.on_wait(describe_wait(pods, events, self.job.containers))
        return None

    def _pod(self, pods: Objects) -> Json | None:
        """The newest pod; of those that have a shard each, the newest that has not ended here."""
        left = [pod for pod in pods if shard_of(pod) and name_of(pod) not in self._reported]
        return newest_pod(left or pods)

    def _report_once(self, pod: Json) -> None:
        if name_of(pod) not in self._reported:
            self._reported.add(name_of(pod))
            self.on_event(describe_retry(pod, self.job.result_container))

    def _read(self) -> tuple[Json, Objects] | None:
        """Read the Job and its pods; None if the Job is gone."""
        try:
            job = self.kubectl.get(JOBS, self.job.namespace, self.job.name)
        except NotFoundError:
            return None
        if uid_of(job) != self.job.uid:
            return None
        return job, pods_of(self.kubectl, self.job.namespace, self.job.name)

    def _events(self, job: Json) -> Objects:
        """Read the warnings about the Job and its pods; empty without the right to."""
        try:
            listed = self.kubectl.list(EVENTS, self.job.namespace, fields="type=Warning")
        except ForbiddenError:
            return ()
        return events_of_job(job, tuple(listed))

    def _stream(self, pod: Json) -> None:
        """Show the logs of a pod until its containers have ended, or the Job is gone."""
        shown = dict(self._seen)  # by earlier looks: a log that is opened again begins with it
        logs = {name: self._open(pod, name) for name in self.job.containers}
        lines = merge(logs, silence=self.silence, is_over=self._is_over, on_break=self._say_broken)
        try:
            for container, line in lines:
                moment, _, text = line.partition(" ")
                key = (uid_of(pod), container)
                if moment_of(moment) is None:
                    self.on_line(container, line)
                elif _is_later(moment, shown.get(key)):
                    self._seen[key] = moment
                    self.on_line(container, text)
        finally:
            for log in logs.values():
                log.close()

    def _open(self, pod: Json, container: str) -> Lines:
        return self.kubectl.logs(
            self.job.namespace,
            name_of(pod),
            container,
            follow=True,
            since=self._seen.get((uid_of(pod), container), ""),
            timestamps=True,
        )

    def _is_over(self) -> bool:
        """Whether the Job has ended, or is gone."""
        read = self._read()
        return read is None or bool(end_of_job(*read, (), self.job.result_container))

    def _say_broken(self, error: KubeError) -> None:
        self.on_event(f"the log broke off, opening it again: {error}")


def pods_of(kubectl: Cluster, namespace: str, job: str) -> Objects:
    """Read the pods of a Job."""
    return tuple(kubectl.list(PODS, namespace, f"job-name={job}"))


def _is_later(moment: str, last: str | None) -> bool:
    """Whether a line is new: a log that is opened again begins with some that were shown."""
    first, second = moment_of(moment), moment_of(last) if last else None
    return second is None or first is None or first > second
