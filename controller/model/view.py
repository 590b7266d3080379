"""What a pass knows of the cluster: the only input of everything that decides."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.objects import ObjectRef, Objects
from controller.model.status import ReadFailure, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretData:
    """A Secret or ConfigMap that a workload's container refers to, cut down to the wanted keys.

    `data` is as the API gives it: base64 in a Secret, plain in a ConfigMap.
    """

    data: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """One watched namespace. Whatever got no answer is a ReadFailure, never an empty list.

    `exists` is False only on a sure 404. `owners` is by kind and holds the kinds that may be
    listed. Of pods that ask for no backup, and of ReplicaSets of others, the lists may hold the
    metadata alone; `unread` names those that had to be known whole and could not be read.
    `absent` tells of owners that the lists lack, read one by one: True is a sure 404. `contents`
    maps what containers refer to; None is a sure 404.
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

    The lists hold what is labelled as ours, and also objects that are not ours but have the name
    of one that is wanted. `unread` names those for which that could not be found out, and Jobs of
    which only the metadata is known. `pods` are those of Jobs that are active, or have ended and
    are not recorded on their CronJob yet; `events` are the warnings of those Jobs whose pods do
    not show why they failed or do not begin.
    """

    cronjobs: Objects | ReadFailure = field(repr=False)
    secrets: Objects | ReadFailure = field(repr=False)
    jobs: Objects | ReadFailure = field(repr=False)
    pods: Objects | ReadFailure = field(repr=False)
    events: Objects | ReadFailure = field(default=(), repr=False)
    unread: Mapping[ObjectRef, ReadFailure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """All a pass knows. `cluster` is the cluster id, ReadFailure as long as it could not be read.

    `gone_passes` is what this process remembers: by CronJob uid, how many passes in a row up to
    the last one saw its workload gone; 0 for not gone, absent for not seen yet.
    """

    now: datetime
    cluster: str | ReadFailure
    namespaces: Mapping[str, NamespaceView]
    control: ControlView
    gone_passes: Mapping[str, int] = field(default_factory=dict)


def failed_reads(view: ClusterView) -> Iterator[str]:
    """Every read of the view that got no answer."""
    if isinstance(view.cluster, ReadFailure) and view.cluster.reason is not Reason.FORBIDDEN:
        yield view.cluster.message
    control = view.control
    for listed in (control.cronjobs, control.secrets, control.jobs, control.pods):
        if isinstance(listed, ReadFailure):
            yield listed.message
    # Not to be allowed to read Events costs no more than reasons of some runs.
    if isinstance(control.events, ReadFailure) and control.events.reason is not Reason.FORBIDDEN:
        yield control.events.message
    for space in view.namespaces.values():
        # Not to be allowed to read a namespace itself is a way to run.
        if isinstance(space.exists, ReadFailure) and space.exists.reason is not Reason.FORBIDDEN:
            yield space.exists.message
        lists = (space.pods, space.services, *space.owners.values())
        single = (*space.unread.values(), *space.absent.values(), *space.contents.values())
        for answer in (*lists, *single):
            if isinstance(answer, ReadFailure):
                yield answer.message
    for failed in control.unread.values():
        yield failed.message
