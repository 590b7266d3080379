"""The parts of a report for a bug: what is read of the cluster, each part by itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import STATUS_KEY
from controller.client.cluster.workload_names import Workload
from controller.client.diagnosis.links import examine
from controller.client.diagnosis.neighbours import Neighbours
from controller.client.jobs.of_workload import is_a_look, jobs_of, newest_first
from controller.client.terminal.errors import CommandError
from controller.kube.client import (
    CONFIG_MAPS,
    CRONJOBS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    PODS,
    KubeError,
    Resource,
)
from controller.manifests.ownership import owner_of
from controller.model.objects import Json, labels_of, name_of
from controller.settings.setting import RECORD
from controller.settings.settings import Settings

_CONTROLLER_LINES, _RUN_LINES = 5000, 2000
_RUNS = 5
_JOB_LABEL = "job-name"
LOG = ".log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a report; `read` returns a JSON value, the lines of a log, or a Partly.

    What `read` raises as KubeError or CommandError is why the part is missing.
    """

    file: str
    read: Callable[[], Any]

    @property
    def is_log(self) -> bool:
        """Whether it is lines, not JSON."""
        return self.file.endswith(LOG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partly:
    """A part of which `why` says what is missing."""

    value: Any
    why: str


@dataclass(slots=True, kw_only=True)
class Reading:
    """Reads the parts of one report; lists that several parts need are read once.

    `workload` is None for a report on the install alone.
    """

    connection: Connection
    workload: Workload | None = None
    with_doctor: bool = True
    _lists: dict[str, Sequence[Json] | KubeError] = field(default_factory=dict)
    _found: Json | None = None

    def parts(self) -> Iterator[Part]:
        """All parts, in the order in which they are read; some depend on what came before."""
        install = self.connection.install
        control = install.namespace
        workload = self.workload
        if workload and self.with_doctor:
            # First, so that its Job and events are among those that follow.
            yield Part(file="workload/doctor.json", read=partial(self._doctor, workload))
        yield Part(file="settings.json", read=self._settings)
        yield Part(file="control/deployment.json", read=self._deployment)
        for resource in (CRONJOBS, JOBS, PODS, EVENTS):
            yield Part(file=f"control/{resource.plural}.json", read=partial(self._all, resource))
        yield Part(file="control/status.json", read=partial(self._document, control))
        if install.settings.boards:
            for namespace in self._watched():
                if namespace != control:
                    read = partial(self._document, namespace)
                    yield Part(file=f"boards/{namespace}.json", read=read)
        yield from self._controller_logs()
        yield from self._run_logs()
        if workload:
            near = Neighbours(kubectl=self.connection.kubectl, workload=workload)
            yield Part(file="workload/owner.json", read=near.owners)
            yield Part(file="workload/pods.json", read=near.pods)
            yield Part(file="workload/services.json", read=near.services)
            yield Part(file="workload/endpointslices.json", read=near.slices)
            yield Part(file="workload/events.json", read=near.events)

    def _watched(self) -> Sequence[str]:
        """The watched namespaces; where none is named, those that CronJobs come from."""
        settings = self.connection.install.settings
        if not settings.watches_all:
            return settings.watch_namespaces
        return sorted({owner_of(item)[0] for item in self._known(CRONJOBS)} - {""})

    def _all(self, resource: Resource) -> Sequence[Json]:
        """All objects of a kind in the control namespace."""
        if resource.plural not in self._lists:
            try:
                found: Sequence[Json] | KubeError = self.connection.kubectl.list(
                    resource, self.connection.install.namespace
                )
            except KubeError as error:
                found = error
            self._lists[resource.plural] = found
        known = self._lists[resource.plural]
        if isinstance(known, KubeError):
            raise known
        return known

    def _known(self, resource: Resource) -> Sequence[Json]:
        """The same, empty where they may not be read: that is said by their own part."""
        try:
            return self._all(resource)
        except KubeError:
            return ()

    def _deployment(self) -> Json:
        install = self.connection.install
        if self._found is None:
            self._found = self.connection.kubectl.get(DEPLOYMENTS, install.namespace, install.name)
        return self._found

    def _settings(self) -> Mapping[str, Any]:
        """The settings that the controller runs with; those of `elsewhere` have their defaults."""
        install = self.connection.install
        known = {**by_variable(install.settings), **install.settings.dumper_images}
        return {"settings": known, "elsewhere": list(install.elsewhere)}

    def _document(self, namespace: str) -> Json:
        """The controller's status, or a board, without what stands around it."""
        name = self.connection.install.status_name
        found = self.connection.kubectl.get(CONFIG_MAPS, namespace, name)
        return {"workloads.json": (found.get("data") or {}).get(STATUS_KEY)}

    def _doctor(self, workload: Workload) -> Sequence[Json] | Partly:
        found = []
        try:
            for finding in examine(self.connection, workload.key, ""):
                found.append(finding.to_document())
                if not finding.good:
                    break
        except (KubeError, CommandError) as error:
            return Partly(value=found, why=str(error))
        return found

    def _controller_logs(self) -> Iterator[Part]:
        try:
            wanted = self._deployment()["spec"]["selector"]["matchLabels"]
        except KubeError:
            return
        for pod in self._known(PODS):
            if not wanted.items() <= labels_of(pod).items():
                continue
            for status in (pod.get("status") or {}).get("containerStatuses") or ():
                name = f"{name_of(pod)}-{status['name']}"
                logs = self._log(pod, status["name"], _CONTROLLER_LINES)
                yield Part(file=f"control/logs/{name}.log", read=logs)
                if status.get("restartCount"):
                    before = self._log(pod, status["name"], _CONTROLLER_LINES, previous=True)
                    yield Part(file=f"control/logs/{name}-before.log", read=before)

    def _run_logs(self) -> Iterator[Part]:
        """The logs of the last runs, of the workload or of all; a look at backups is none."""
        jobs = self._known(JOBS)
        if self.workload:
            cronjob = self.workload.cronjob
            newest = jobs_of(cronjob, jobs) if cronjob else []
        else:
            newest = newest_first(jobs)
        for job in [job for job in newest if not is_a_look(job)][:_RUNS]:
            for pod in self._known(PODS):
                if labels_of(pod).get(_JOB_LABEL) != name_of(job):
                    continue
                for container in (pod.get("spec") or {}).get("containers") or ():
                    name = f"{name_of(pod)}-{container['name']}"
                    yield Part(
                        file=f"runs/{name}.log", read=self._log(pod, container["name"], _RUN_LINES)
                    )

    def _log(
        self, pod: Json, container: str, lines: int, *, previous: bool = False
    ) -> Callable[[], Sequence[str]]:
        control = self.connection.install.namespace

        def read() -> Sequence[str]:
            log = self.connection.kubectl.logs(
                control, name_of(pod), container, tail=lines, previous=previous
            )
            return list(log)

        return read


def by_variable(settings: Settings) -> Mapping[str, Any]:
    """Each setting by its variable; of one that may hold a secret only whether it is set."""
    found: dict[str, Any] = {}
    for item in fields(Settings):
        if record := item.metadata.get(RECORD):
            value = getattr(settings, item.name)
            found[record.env] = ("set" if value else "not set") if record.hidden else value
    return found
