"""Reads the control namespace: generated objects, foreign ones of their names, Jobs and runs."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from controller.kube.client import CRONJOBS, EVENTS, JOBS, RUN_PODS, SECRETS, Resource
from controller.kube.reader import ClusterReader
from controller.manifests import ownership
from controller.manifests.ownership import DUMP
from controller.model import names
from controller.model.objects import Json, ObjectRef, Objects, name_of, owner_references, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.observe.readers import Readers
from controller.observe.restores import is_restore
from controller.plan import owned
from controller.runs import proofs, results
from controller.runs.blocked import blocked_run
from controller.runs.causes.event_causes import events_of_job
from controller.runs.restores import open_jobs as open_jobs_of_restores
from controller.runs.retention.prunes import is_prune
from controller.settings.settings import Settings
from controller.workloads import backup_spec
from controller.workloads.discovery import Workloads

# Job names in one selector: more would make the URL longer than servers take.
_NAMES = 50
# More selectors than these cost more than one list of all pods.
_SELECTORS = 4
_WARNINGS = "type=Warning"


def read_control_namespace(readers: Readers, settings: Settings) -> ControlView:
    """Read what is labelled as ours; `complete_control_namespace` adds the rest."""
    namespace = settings.control_namespace
    unread: Mapping[ObjectRef, ReadFailure] = {}
    cronjobs = readers.cluster.list(CRONJOBS, namespace, names.SELECTOR, metadata_only=True)
    if not isinstance(cronjobs, ReadFailure):
        every_name = {name_of(cronjob) for cronjob in cronjobs}
        cronjobs, unread = readers.objects.load_full(
            CRONJOBS, namespace, cronjobs, every_name, selector=names.SELECTOR
        )
        # Metadata alone would pass for a CronJob without a schedule.
        cronjobs = tuple(item for item in cronjobs if _ref(CRONJOBS, item) not in unread)
    secrets = readers.cluster.list(SECRETS, namespace, names.SELECTOR)
    return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=(), pods=(), unread=unread)


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
    verifying = {name for name in map(backup_spec.wanted_verify_name, workloads) if name}
    unread = {ref.name for ref in control.unread}
    cronjobs, unread_cronjobs = _with_namesakes(
        CRONJOBS, namespace, control.cronjobs, (wanted | verifying) - unread, readers
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
    return _with_runs(view, readers.cluster, settings, now)


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
    """Read the Jobs of these CronJobs, those that hold them, and those that verify or restore.

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
        for name, items in proofs.proofs_by_cronjob(listed).items()
        if name in known
        for job in items
    }
    wanted |= {name_of(job) for job in listed if owned.changed_by(job) in known}
    return readers.objects.load_full(JOBS, settings.control_namespace, listed, wanted)


def _with_runs(
    view: ControlView, reader: ClusterReader, settings: Settings, now: datetime
) -> ControlView:
    """Add the pods of Jobs whose result is open, and Events where the pods explain too little."""
    if isinstance(view.cronjobs, ReadFailure) or isinstance(view.jobs, ReadFailure):
        return view
    jobs_by_cronjob = owned.by_owner(view.jobs)
    open_jobs = [
        (cronjob, job)
        for cronjob in view.cronjobs
        if ownership.is_ours(cronjob, settings) and ownership.component_of(cronjob) == DUMP
        for job in results.jobs_with_open_result(cronjob, jobs_by_cronjob.get(uid_of(cronjob), ()))
        # A Job that could not be read shows nothing of its state.
        if _ref(JOBS, job) not in view.unread
    ]
    verifying = proofs.proofs_by_cronjob(view.jobs)
    proving = [
        name_of(job)
        for cronjob in view.cronjobs
        if (items := verifying.get(name_of(cronjob))) and ownership.is_ours(cronjob, settings)
        for job in proofs.jobs_with_open_proof(cronjob, items)
        if _ref(JOBS, job) not in view.unread
    ]
    restores = [
        name
        for cronjob in view.cronjobs
        if ownership.is_ours(cronjob, settings)
        for name in open_jobs_of_restores(cronjob)
    ]
    pods = _pods([name_of(job) for _, job in open_jobs], [*proving, *restores], reader, settings)
    if isinstance(pods, ReadFailure):
        return replace(view, pods=pods)
    pods_by_job = owned.by_owner(pods)
    unexplained = [
        job
        for cronjob, job in open_jobs
        if _is_unexplained(cronjob, job, pods_by_job.get(uid_of(job), ()), now)
    ]
    return replace(view, pods=pods, events=_events(unexplained, reader, settings))


def _pods(
    dumps: list[str], others: list[str], reader: ClusterReader, settings: Settings
) -> Objects | ReadFailure:
    """Read the pods of these Jobs, by their names."""
    selectors = _by_names([*dumps, *others])
    if len(selectors) > _SELECTORS:
        # Pods of the others have not this label, as 0.6.0 would delete their Jobs.
        selectors = [names.SELECTOR, *_by_names(others)]
    pods: list[Json] = []
    for selector in selectors:
        listed = reader.list(RUN_PODS, settings.control_namespace, selector)
        if isinstance(listed, ReadFailure):
            return listed
        pods += listed
    return tuple(pods)


def _by_names(jobs: list[str]) -> list[str]:
    """Selectors of the pods of these Jobs."""
    return [
        f"job-name in ({','.join(jobs[start : start + _NAMES])})"
        for start in range(0, len(jobs), _NAMES)
    ]


def _is_unexplained(cronjob: Json, job: Json, pods: Objects, now: datetime) -> bool:
    """Whether a Job failed or does not begin, and its pods do not show why."""
    blocked = blocked_run(job, pods, (), now)
    if blocked:
        return not blocked.is_explained
    return results.lacks_cause(cronjob, job, pods)


def _events(jobs: list[Json], reader: ClusterReader, settings: Settings) -> Objects | ReadFailure:
    """Read the warnings of these Jobs and their pods, in one list for all of them."""
    if not jobs:
        return ()
    warnings = reader.list(EVENTS, settings.control_namespace, fields=_WARNINGS)
    if isinstance(warnings, ReadFailure):
        return warnings
    return tuple(event for job in jobs for event in events_of_job(job, warnings))
