"""The fields that are kept of objects which are only read; others would cost memory and time.

Kinds without a type here are kept in full, as most of them are written back. `managedFields`, half
the bytes of many an object, is kept of none.
"""

from typing import Any, TypedDict


class Metadata(TypedDict, total=False):
    """Name, owners, labels and annotations of an object."""

    name: str
    namespace: str
    uid: str
    resourceVersion: str
    generation: int
    creationTimestamp: str | None
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    ownerReferences: list[dict[str, Any]] | None


class Object(TypedDict, total=False):
    """An object of which only the metadata counts."""

    apiVersion: str
    kind: str
    metadata: Metadata | None


class _Container(TypedDict, total=False):
    name: str
    image: str
    env: Any
    envFrom: Any
    ports: Any
    volumeMounts: Any


class _PodSpec(TypedDict, total=False):
    containers: list[_Container] | None
    volumes: Any
    nodeName: str
    serviceAccountName: str
    enableServiceLinks: bool | None


class _PodStatus(TypedDict, total=False):
    phase: str


class Pod(TypedDict, total=False):
    """A database's pod: its containers with their variables, mounts and ports."""

    apiVersion: str
    kind: str
    metadata: Metadata | None
    spec: _PodSpec | None
    status: _PodStatus | None


class _ContainerStatus(TypedDict, total=False):
    name: str
    state: Any


class _RunPodStatus(TypedDict, total=False):
    phase: str
    reason: str
    message: str
    conditions: Any
    containerStatuses: list[_ContainerStatus] | None
    initContainerStatuses: list[_ContainerStatus] | None


class RunPod(Object, total=False):
    """A dump's pod: how it ended, or why it does not begin."""

    status: _RunPodStatus | None


class Event(TypedDict, total=False):
    """An Event: what happened to which object."""

    apiVersion: str
    kind: str
    metadata: Metadata | None
    involvedObject: Any
    reason: str
    message: str
    series: Any
    lastTimestamp: str | None
    eventTime: str | None


class _TemplateMetadata(TypedDict, total=False):
    labels: dict[str, str] | None
    annotations: dict[str, str] | None


class _Template(TypedDict, total=False):
    metadata: _TemplateMetadata | None


class _OwnerSpec(TypedDict, total=False):
    template: _Template | None


class Owner(Object, total=False):
    """A Deployment, ReplicaSet or StatefulSet, whose template's annotations count like its own."""

    spec: _OwnerSpec | None


class _ServiceMetadata(TypedDict, total=False):
    name: str
    namespace: str
    labels: dict[str, str] | None
    ownerReferences: list[dict[str, Any]] | None


class _ServiceSpec(TypedDict, total=False):
    type: str
    externalName: str
    selector: dict[str, str] | None
    clusterIP: str
    publishNotReadyAddresses: bool | None
    ports: Any


class Service(TypedDict, total=False):
    """A Service: which pods it selects or host it stands for, on which ports, and whose it is."""

    apiVersion: str
    kind: str
    metadata: _ServiceMetadata | None
    spec: _ServiceSpec | None


class _JobStatus(TypedDict, total=False):
    conditions: Any
    startTime: str | None
    completionTime: str | None
    failedIndexes: str | None


class _JobSpec(TypedDict, total=False):
    suspend: bool | None
    activeDeadlineSeconds: int | None
    completions: int | None


class Job(Object, total=False):
    """A Job: who owns it, whether it waits, when it began, how long it may, and how it ended."""

    spec: _JobSpec | None
    status: _JobStatus | None


SHAPES: tuple[type, ...] = (Object, Pod, RunPod, Event, Owner, Service, Job)
