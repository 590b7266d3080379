"""The control namespace: generated CronJobs and Secrets, their namesakes, Jobs and their pods."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from controller.kube.client import CRONJOBS, JOBS, PODS, SECRETS, Resource
from controller.kube.reader import Answers
from controller.manifests import ownership
from controller.model import names
from controller.model.objects import Json, ObjectRef, Objects, name_of, owner_references, uid_of
from controller.model.status import Failed
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


def read_control_namespace(answers: Answers, settings: Settings) -> ControlView:
    """What is labelled as ours; `complete` adds the rest."""
    space = settings.control_namespace
    unread: Mapping[ObjectRef, Failed] = {}
    cronjobs = answers.list(CRONJOBS, space, names.SELECTOR, metadata_only=True)
    if not isinstance(cronjobs, Failed):
        everyone = {name_of(item) for item in cronjobs}
        cronjobs, unread = answers.whole(
            CRONJOBS, space, cronjobs, everyone, selector=names.SELECTOR
        )
        # Metadata alone would pass for a CronJob without a schedule.
        cronjobs = tuple(item for item in cronjobs if _ref(CRONJOBS, item) not in unread)
    secrets = answers.list(SECRETS, space, names.SELECTOR)
    return ControlView(cronjobs=cronjobs, secrets=secrets, jobs=(), pods=(), unread=unread)


def complete_control_namespace(
    control: ControlView, found: Iterable[Workloads], answers: Answers, settings: Settings
) -> ControlView:
    """Add what has the name of a wanted object without being labelled as ours, Jobs and pods."""
    space = settings.control_namespace
    items = (backup_spec.name_of(workload) for workloads in found for workload in workloads.items)
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
    listed: Objects | Failed,
    wanted: AbstractSet[str],
    answers: Answers,
) -> tuple[Objects | Failed, Mapping[ObjectRef, Failed]]:
    if isinstance(listed, Failed):
        return listed, {}
    lacking = wanted - {name_of(item) for item in listed}
    if not lacking:
        return listed, {}
    every = answers.list(resource, space, metadata_only=True)
    if isinstance(every, Failed):
        lost = (ObjectRef(kind=resource.kind, name=name) for name in lacking)
        return listed, dict.fromkeys(lost, every)
    namesakes = tuple(item for item in every if name_of(item) in lacking)
    whole, unread = answers.whole(resource, space, namesakes, lacking)
    # Metadata tells whose it is, but what is ours must be known whole.
    return listed + tuple(item for item in whole if _ref(resource, item) not in unread), unread


def _ref(resource: Resource, item: Json) -> ObjectRef:
    return ObjectRef(kind=resource.kind, name=name_of(item))


def _jobs(
    cronjobs: Objects | Failed, answers: Answers, settings: Settings
) -> tuple[Objects | Failed, Mapping[ObjectRef, Failed]]:
    """The Jobs of these CronJobs; one that could not be read has no end, as one that runs."""
    listed = answers.list(JOBS, settings.control_namespace, metadata_only=True)
    if isinstance(listed, Failed) or isinstance(cronjobs, Failed):
        return listed, {}
    owners = {uid_of(item) for item in cronjobs}
    wanted = {
        name_of(item)
        for item in listed
        if any(reference.get("uid") in owners for reference in owner_references(item))
    }
    return answers.whole(JOBS, settings.control_namespace, listed, wanted)


def _pods(
    cronjobs: Objects | Failed, jobs: Objects | Failed, answers: Answers, settings: Settings
) -> Objects | Failed:
    """The pods of the Jobs that ended since their CronJob was told how."""
    if isinstance(cronjobs, Failed) or isinstance(jobs, Failed):
        return ()
    by_owner = owned.by_owner(jobs)
    ended = [
        name_of(job)
        for cronjob in cronjobs
        if ownership.is_ours(cronjob, settings)
        for job in results.untold(cronjob, by_owner.get(uid_of(cronjob), ()))
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
        if isinstance(pods, Failed):
            return pods
        found += pods
    return tuple(found)
