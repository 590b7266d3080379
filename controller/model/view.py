"""The state of the cluster as one pass read it: the only input of all decisions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.names import ALLOW_HOST_LABEL
from controller.model.objects import Json, ObjectRef, Objects, labels_of
from controller.model.status import ReadFailure, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretData:
    """The needed keys of a Secret or ConfigMap that a workload's container refers to.

    `data` is as the API server sends it: base64 in a Secret, plain in a ConfigMap. `allows_host`:
    by its label, a login that it holds may go to a host that an annotation chose.
    """

    data: Mapping[str, str] = field(repr=False)
    allows_host: bool = False


def allows_host(secret: Json) -> bool:
    """Whether the label of a Secret lets its login go to a host that an annotation chose."""
    return labels_of(secret).get(ALLOW_HOST_LABEL) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """One watched namespace. A read without an answer is a ReadFailure, never an empty list.

    `exists` is False only on a sure 404. `owners` holds lists by kind, of the kinds that may be
    listed. The lists may hold only the metadata of pods that ask for no backup, and of ReplicaSets
    of other controllers; `unread` holds the objects that had to be read whole and could not be.
    `absent` holds owners that the lists lack and that were then read one by one: True is a sure
    404. `contents` holds the Secrets and ConfigMaps that containers refer to; None is a sure 404.
    """

    name: str
    exists: bool | ReadFailure
    pods: Objects | ReadFailure = field(repr=False)
    services: Objects | ReadFailure = field(repr=False)
    owners: Mapping[str, Objects | ReadFailure] = field(repr=False)
    unread: Mapping[ObjectRef, ReadFailure] = field(default_factory=dict)
    absent: Mapping[ObjectRef, bool | ReadFailure] = field(default_factory=dict)
    contents: Mapping[ObjectRef, SecretData | ReadFailure | None] = field(
        default_factory=dict, repr=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlView:
    """The namespace of the generated objects.

    The lists hold the objects that are labelled as ours, and foreign objects that have the name of
    a wanted one. `unread` holds names of which nobody knows whether such an object exists, and
    Jobs of which only the metadata is known. `pods` are those of Jobs that are active, or
    have ended and are not recorded on their CronJob yet; `events` are the warnings of those Jobs
    whose pods do not show why they failed or do not begin.
    """

    cronjobs: Objects | ReadFailure = field(repr=False)
    secrets: Objects | ReadFailure = field(repr=False)
    jobs: Objects | ReadFailure = field(repr=False)
    pods: Objects | ReadFailure = field(repr=False)
    events: Objects | ReadFailure = field(default=(), repr=False)
    unread: Mapping[ObjectRef, ReadFailure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """All that a pass knows. `cluster` is the cluster id, a ReadFailure until it could be read.

    `unlisted` says why nobody knows which namespaces are watched, None where that is known.

    `gone_passes` is the memory of this process: by CronJob uid, how many passes in a row up to the
    last one saw the workload gone; 0 if it was not gone, absent if no pass saw the CronJob yet.
    """

    now: datetime
    cluster: str | ReadFailure
    namespaces: Mapping[str, NamespaceView]
    control: ControlView
    gone_passes: Mapping[str, int] = field(default_factory=dict)
    unlisted: ReadFailure | None = None


def failed_reads(view: ClusterView) -> Iterator[str]:
    """The message of every read of the view that got no answer."""
    if isinstance(view.cluster, ReadFailure) and view.cluster.reason is not Reason.FORBIDDEN:
        yield view.cluster.message
    if view.unlisted:
        yield view.unlisted.message
    control = view.control
    for listed in (control.cronjobs, control.secrets, control.jobs, control.pods):
        if isinstance(listed, ReadFailure):
            yield listed.message
    # Without the right to read Events only the reasons of some runs are missing.
    if isinstance(control.events, ReadFailure) and control.events.reason is not Reason.FORBIDDEN:
        yield control.events.message
    for namespace in view.namespaces.values():
        yield from _failed_in(namespace)
    for failed in control.unread.values():
        yield failed.message


def _failed_in(namespace: NamespaceView) -> Iterator[str]:
    exists = namespace.exists
    # Without the right to read namespaces everything else still works.
    if isinstance(exists, ReadFailure) and exists.reason is not Reason.FORBIDDEN:
        yield exists.message
    lists = (namespace.pods, namespace.services, *namespace.owners.values())
    single = (
        *namespace.unread.values(),
        *namespace.absent.values(),
        *namespace.contents.values(),
    )
    for answer in (*lists, *single):
        if isinstance(answer, ReadFailure):
            yield answer.message
