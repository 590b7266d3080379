"""The control namespace: generated CronJobs and Secrets, their namesakes, Jobs and their pods."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from controller.kube.client import CRONJOBS, JOBS, PODS, SECRETS, Resource
from controller.kube.reader import ClusterReader
from controller.manifests import ownership
from controller.model import names
from controller.model.objects import Json, ObjectRef, Objects, name_of, owner_references, uid_of
from controller.model.status import ReadFailure
from controller.model.view import ControlView
from controller.plan import owned
from controller.runs import results
from controller.settings.settings import Settings
from controller.workloads import backup_spec
from controller.workloads.discovery import Workloads

# Of Jobs in one selector: more would make the longest URL that servers take.
_NAMES = 50
# Of so many it is cheaper to list all pods once.
_SELECTORS = 4


def read_control_namespace(answers: ClusterReader, settings: Settings) -> ControlView:
    """What is labelled as ours; `complete` adds the rest."""
    space = settings.control_namespace
    unread: Mapping[ObjectRef, ReadFailure] = {}
    cronjobs = answers.list(CRONJOBS, space, names.SELECTOR, metadata_only=True)
    if not isinstance(cronjobs, ReadFailure):
        everyone = {name_of(item) for item in cronjobs}
        cronjobs, unread = answers.whole(
            CRONJOBS, space, cronjobs, everyone, selector=names.SELECTOR
        )
        # Metadata alone would pass for a CronJob without a schedule.
        cronjobs = tuple(item for item in cronjobs if _ref(CRONJOBS, item) not in unread)
    secrets = answers.list(SECRETS, space, names.SELECTOR)
    return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=(), pods=(), unread=unread)


def complete_control_namespace(
    control: ControlView, found: Iterable[Workloads], answers: ClusterReader, settings: Settings
) -> ControlView:
    """Add what has the name of a wanted object without being labelled as ours, Jobs and pods."""
    space = settings.control_namespace
    items = (
        backup_spec.wanted_name(workload) for workloads in found for workload in workloads.items
    )
    wanted = {name for name in items if name}
    lost = {ref.name for ref in control.unread}
    cronjobs, more = _with_namesakes(CRONJOBS, space, control.cronjobs, wanted - lost, answers)
    mirrored = set(map(names.secret_name, wanted))
    secrets, others = _with_namesakes(SECRETS, space, control.secrets, mirrored, answers)
    # After the CronJobs: a Job that starts in between shows here.
    jobs, failed = _jobs(cronjobs, answers, settings)
    pods = _pods(cronjobs, jobs, answers, settings)
    unread = {**control.unread, **more, **others, **failed}
    return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=jobs, pods=pods, unread=unread)


def _with_namesakes(
    resource: Resource,
    space: str,
    listed: Objects | ReadFailure,
    wanted: AbstractSet[str],
    answers: ClusterReader,
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    if isinstance(listed, ReadFailure):
        return listed, {}
    lacking = wanted - {name_of(item) for item in listed}
    if not lacking:
        return listed, {}
    every = answers.list(resource, space, metadata_only=True)
    if isinstance(every, ReadFailure):
        lost = (ObjectRef(kind=resource.kind, name=name) for name in lacking)
        return listed, dict.fromkeys(lost, every)
    namesakes = tuple(item for item in every if name_of(item) in lacking)
    whole, unread = answers.whole(resource, space, namesakes, lacking)
    # Metadata tells whose it is, but what is ours must be known whole.
    return listed + tuple(item for item in whole if _ref(resource, item) not in unread), unread


def _ref(resource: Resource, item: Json) -> ObjectRef:
    return ObjectRef(kind=resource.kind, name=name_of(item))


def _jobs(
    cronjobs: Objects | ReadFailure, answers: ClusterReader, settings: Settings
) -> tuple[Objects | ReadFailure, Mapping[ObjectRef, ReadFailure]]:
    """The Jobs of these CronJobs; one that could not be read has no end, as one that runs."""
    listed = answers.list(JOBS, settings.control_namespace, metadata_only=True)
    if isinstance(listed, ReadFailure) or isinstance(cronjobs, ReadFailure):
        return listed, {}
    owners = {uid_of(item) for item in cronjobs}
    wanted = {
        name_of(item)
        for item in listed
        if any(reference.get("uid") in owners for reference in owner_references(item))
    }
    return answers.whole(JOBS, settings.control_namespace, listed, wanted)


def _pods(
    cronjobs: Objects | ReadFailure,
    jobs: Objects | ReadFailure,
    answers: ClusterReader,
    settings: Settings,
) -> Objects | ReadFailure:
    """The pods of the Jobs that ended since their CronJob was told how."""
    if isinstance(cronjobs, ReadFailure) or isinstance(jobs, ReadFailure):
        return ()
    by_owner = owned.by_owner(jobs)
    ended = [
        name_of(job)
        for cronjob in cronjobs
        if ownership.is_ours(cronjob, settings)
        for job in results.unreported_jobs(cronjob, by_owner.get(uid_of(cronjob), ()))
    ]
    selectors = [
        f"job-name in ({','.join(ended[start : start + _NAMES])})"
        for start in range(0, len(ended), _NAMES)
    ]
    if len(selectors) > _SELECTORS:
        selectors = [names.SELECTOR]
    found: list[Json] = []
    for selector in selectors:
        pods = answers.list(PODS, settings.control_namespace, selector)
        if isinstance(pods, ReadFailure):
            return pods
        found += pods
    return tuple(found)
