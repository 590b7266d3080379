"""The generated objects of a view, indexed, and which of them are this install's."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from controller.manifests.manifest import manifest_refs
from controller.manifests.ownership import DUMP, component_of, is_ours, owner_of
from controller.manifests.restore_job import WRITERS
from controller.model import names
from controller.model.kinds import CRONJOB, SECRET
from controller.model.objects import (
    Json,
    ObjectRef,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    owner_references,
    uid_of,
)
from controller.model.status import ReadFailure
from controller.model.view import ClusterView
from controller.runs import job_status
from controller.runs.causes.event_causes import events_by_job
from controller.runs.proving.jobs import proofs_by_cronjob
from controller.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedObjects:
    """Objects of the control namespace.

    `objects` holds all of them, foreign ones too; with `failed` they are not known. Of this
    install's CronJobs, `ours` holds those that dump, by the namespace of their workload and by
    name, and `others` those of other components, by the namespace and owner that they record.
    `jobs` go by CronJob uid, `pods` and `events` by Job uid. `proofs` are the Jobs that verify or
    drill backups, and `restore_jobs` those that restore, or take that back, by the name of the
    CronJob that they were made from.
    """

    objects: Mapping[ObjectRef, Json] = field(repr=False)
    failed: ReadFailure | None
    ours: Mapping[str, Mapping[str, Json]] = field(repr=False)
    others: Mapping[tuple[str, ObjectRef], Objects] = field(repr=False)
    jobs: Mapping[str, Objects] | ReadFailure = field(repr=False)
    pods: Mapping[str, Objects] | ReadFailure = field(repr=False)
    events: Mapping[str, Objects] = field(default_factory=dict, repr=False)
    proofs: Mapping[str, Objects] = field(default_factory=dict, repr=False)
    restore_jobs: Mapping[str, Objects] = field(default_factory=dict, repr=False)

    def cronjob(self, name: str) -> Json | None:
        """The CronJob of this name, whosever it is; None without one."""
        return self.objects.get(manifest_refs(name)[0])

    def is_idle(self, cronjob: Json) -> bool:
        """Whether it is certain that no Job of the CronJob is active, and all objects are known."""
        if isinstance(self.jobs, ReadFailure) or self.failed:
            return False
        return not job_status.has_active_job(cronjob, self.jobs.get(uid_of(cronjob), ()))


def index_owned(view: ClusterView, settings: Settings) -> OwnedObjects:
    """Index the control namespace of a view."""
    control = view.control
    own = tuple(_own_cronjobs(control.cronjobs, view.namespaces, settings))
    others: dict[tuple[str, ObjectRef], list[Json]] = defaultdict(list)
    for namespace, owner, cronjob in own:
        if component_of(cronjob) != DUMP:
            others[namespace, owner].append(cronjob)
    failures = (
        listed for listed in (control.cronjobs, control.secrets) if isinstance(listed, ReadFailure)
    )
    return OwnedObjects(
        objects={
            ObjectRef(kind=kind, name=name_of(item)): item
            for kind, listed in ((CRONJOB, control.cronjobs), (SECRET, control.secrets))
            for item in _known(listed)
        },
        failed=next(failures, None),
        ours=_dumps_by_namespace(own),
        others={owner: tuple(cronjobs) for owner, cronjobs in others.items()},
        jobs=control.jobs if isinstance(control.jobs, ReadFailure) else by_owner(control.jobs),
        pods=control.pods if isinstance(control.pods, ReadFailure) else by_owner(control.pods),
        events=events_by_job(_known(control.jobs), _known(control.events)),
        proofs=proofs_by_cronjob(_known(control.jobs)),
        restore_jobs=_by_cronjob(_known(control.jobs)),
    )


def ours_by_namespace(
    cronjobs: Objects | ReadFailure, watched: Container[str], settings: Settings
) -> Mapping[str, Mapping[str, Json]]:
    """Index this install's CronJobs that dump by the namespace of their workload, then by name."""
    return _dumps_by_namespace(_own_cronjobs(cronjobs, watched, settings))


def _dumps_by_namespace(
    own: Iterable[tuple[str, ObjectRef, Json]],
) -> Mapping[str, Mapping[str, Json]]:
    by_namespace: dict[str, dict[str, Json]] = defaultdict(dict)
    for namespace, _, cronjob in own:
        if component_of(cronjob) == DUMP:
            by_namespace[namespace][name_of(cronjob)] = cronjob
    return by_namespace


def _own_cronjobs(
    cronjobs: Objects | ReadFailure, watched: Container[str], settings: Settings
) -> Iterator[tuple[str, ObjectRef, Json]]:
    """This install's CronJobs, each with the namespace and owner that it records."""
    for cronjob in _known(cronjobs):
        namespace, owner = owner_of(cronjob)
        recorded = names.INSTANCE in annotations_of(cronjob)
        # What 0.6.0 made could be anybody's where this install does not watch.
        if owner.name and is_ours(cronjob, settings) and (recorded or namespace in watched):
            yield namespace, owner, cronjob


def _known(listed: Objects | ReadFailure) -> Objects:
    return () if isinstance(listed, ReadFailure) else listed


def by_owner(listed: Objects) -> Mapping[str, Objects]:
    """Objects by the uid of each of their owners."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for item in listed:
        for uid in _owner_uids(item):
            grouped[uid].append(item)
    return {uid: tuple(items) for uid, items in grouped.items()}


def _by_cronjob(jobs: Objects) -> Mapping[str, Objects]:
    """Jobs that change a database, by the name of the CronJob that they were made from."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for job in jobs:
        if name := changed_by(job):
            grouped[name].append(job)
    return {name: tuple(items) for name, items in grouped.items()}


def changed_by(job: Json) -> str:
    """The CronJob whose database a Job changes that somebody asked for; empty for other Jobs."""
    if labels_of(job).get(names.COMPONENT_LABEL) not in WRITERS:
        return ""
    return annotations_of(job).get(names.CRONJOB, "")


def _owner_uids(item: Json) -> Iterable[str]:
    return {str(owner.get("uid", "")) for owner in owner_references(item)}
