"""Reads the control namespace: generated objects, foreign ones of their names, Jobs and runs."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from controller.kube.client import CRONJOBS, JOBS, SECRETS, Resource
from controller.manifests import ownership
from controller.manifests.manifest import reader_refs
from controller.model import names
from controller.model.objects import Json, ObjectRef, Objects, name_of, owner_references, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.observe.open_runs import with_runs
from controller.observe.readers import Readers
from controller.observe.restores import is_restore
from controller.plan import owned
from controller.runs.proving.jobs import proofs_by_cronjob
from controller.runs.retention.prunes import is_prune
from controller.settings.settings import Settings
from controller.workloads import backup_spec
from controller.workloads.discovery import Workloads


def read_control_namespace(readers: Readers, settings: Settings) -> ControlView:
    """Read what is labelled as ours; `complete_control_namespace` adds the rest."""
    namespace = settings.control_namespace
    cronjobs, unread = _cronjobs(namespace, readers)
    secrets = readers.cluster.list(SECRETS, namespace, names.SELECTOR)
    return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=(), pods=(), unread=unread)


def _cronjobs(
    namespace: str, readers: Readers
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """Read the CronJobs that are labelled as ours; also return those that could not be read.

    Those that read backups have not the label of those that dump, as 0.6.0 would delete them.
    """
    found: Objects = ()
    unread: dict[ObjectRef, ReadFailure] = {}
    for selector in (names.SELECTOR, names.READERS_SELECTOR):
        listed = readers.cluster.list(CRONJOBS, namespace, selector, metadata_only=True)
        if isinstance(listed, ReadFailure) and selector == names.READERS_SELECTOR:
            # They hide no dump.
            lost = (ref for item in found for ref in reader_refs(name_of(item)))
            return found, unread | dict.fromkeys(lost, listed)
        if isinstance(listed, ReadFailure):
            return listed, {}
        # An earlier release of ours gave some both labels.
        known = {*map(name_of, found), *(ref.name for ref in unread)}
        new = tuple(item for item in listed if name_of(item) not in known)
        full, failed = readers.objects.load_full(
            CRONJOBS, namespace, new, set(map(name_of, new)), selector=selector
        )
        # Metadata alone would pass for a CronJob without a schedule.
        found += tuple(item for item in full if _ref(CRONJOBS, item) not in failed)
        unread |= failed
    return found, unread


def complete_control_namespace(
    control: ControlView,
    found: Iterable[Workloads],
    readers: Readers,
    settings: Settings,
    now: datetime,
) -> ControlView:
    """Add unlabelled objects that have the name of a wanted one, then Jobs, their pods and Events.

    `found` are the workloads of all watched namespaces.
    """
    namespace = settings.control_namespace
    workloads = [workload for group in found for workload in group.items]
    wanted = {name for name in map(backup_spec.wanted_name, workloads) if name}
    reading = {name for item in workloads for name in backup_spec.wanted_reader_names(item)}
    unread = {ref.name for ref in control.unread}
    cronjobs, unread_cronjobs = _with_namesakes(
        CRONJOBS, namespace, control.cronjobs, (wanted | reading) - unread, readers
    )
    secret_names = set(map(names.secret_name, wanted))
    secrets, unread_secrets = _with_namesakes(
        SECRETS, namespace, control.secrets, secret_names, readers
    )
    # After the CronJobs, so that a Job that starts in between is seen.
    jobs, unread_jobs = _jobs(cronjobs, readers, settings)
    view = ControlView(
        cronjobs=cronjobs,
        secrets=secrets,
        jobs=jobs,
        pods=(),
        unread={**control.unread, **unread_cronjobs, **unread_secrets, **unread_jobs},
    )
    return with_runs(view, readers.cluster, settings, now)


def _with_namesakes(
    resource: Resource,
    namespace: str,
    listed: Objects | ReadFailure,
    wanted: AbstractSet[str],
    readers: Readers,
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """Add the objects of wanted names that are not labelled as ours; also return failed reads."""
    if isinstance(listed, ReadFailure):
        return listed, {}
    lacking = wanted - {name_of(item) for item in listed}
    if not lacking:
        return listed, {}
    every = readers.cluster.list(resource, namespace, metadata_only=True)
    if isinstance(every, ReadFailure):
        lost = (ObjectRef(kind=resource.kind, name=name) for name in lacking)
        return listed, dict.fromkeys(lost, every)
    namesakes = tuple(item for item in every if name_of(item) in lacking)
    full, unread = readers.objects.load_full(resource, namespace, namesakes, lacking)
    # Metadata shows whose an object is, but an object of ours must be known in full.
    return listed + tuple(item for item in full if _ref(resource, item) not in unread), unread


def _ref(resource: Resource, item: Json) -> ObjectRef:
    return ObjectRef(kind=resource.kind, name=name_of(item))


def _jobs(
    cronjobs: Objects | ReadFailure, readers: Readers, settings: Settings
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """Read the Jobs of these CronJobs, those that hold them, and those that prove or restore.

    A Job that could not be read has no end, as if it ran.
    """
    listed = readers.cluster.list(JOBS, settings.control_namespace, metadata_only=True)
    if isinstance(listed, ReadFailure) or isinstance(cronjobs, ReadFailure):
        return listed, {}
    owners = {uid_of(cronjob) for cronjob in cronjobs}
    wanted = {
        name_of(job)
        for job in listed
        if any(reference.get("uid") in owners for reference in owner_references(job))
    }
    wanted |= {
        name_of(job) for job in listed if is_restore(job, settings) or is_prune(job, settings)
    }
    wanted |= {holder.name for cronjob in cronjobs if (holder := ownership.holder_of(cronjob))}
    known = set(map(name_of, cronjobs))
    wanted |= {
        name_of(job)
        for name, items in proofs_by_cronjob(listed).items()
        if name in known
        for job in items
    }
    wanted |= {name_of(job) for job in listed if owned.changed_by(job) in known}
    return readers.objects.load_full(JOBS, settings.control_namespace, listed, wanted)
