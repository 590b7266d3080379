"""Collects from a pass what the rows of its workloads are made of, cheaply: most are unchanged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from controller.model.names import OWNER_KIND
from controller.model.objects import Json, annotations_of, name_of
from controller.model.status import ReadFailure, Reason, Rejected, State, WorkloadStatus
from controller.model.view import ClusterView
from controller.plan.changes import ApplyResult
from controller.workloads.annotations import TYPE
from controller.workloads.discovery import Workloads
from controller.workloads.workload import Workload
from dumpers.engines.registry import find as find_engine

# Workload, kind of its owner, and name of its CronJob, empty without one.
RowKey: TypeAlias = tuple[str, str, str]
Rows: TypeAlias = Mapping[RowKey, Json]
_ABSENT = frozenset({State.GONE, State.REPLACED, State.UNWATCHED})


class Asked(NamedTuple):
    """What a workload without a CronJob asks for, as far as its annotations could be read."""

    type: str = ""
    schedule: str = ""
    time_zone: str = ""
    backup_class: str = ""


class Subject(NamedTuple):
    """What the row of a workload is made of: equal ones make equal rows.

    `due` is when the CronJob's next good run must have ended, in seconds since the epoch.
    """

    status: WorkloadStatus
    cronjob: Json | None
    due: int | None = None
    asked: Asked = Asked()

    @property
    def is_calm(self) -> bool:
        """Whether the workload is plainly backed up."""
        return self.status.state is State.WANTED and self.status.reason is Reason.ANNOTATED


# None stands for a workload of which this pass knows nothing: its row stays as it is.
Subjects: TypeAlias = Mapping[RowKey, Subject | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """The namespaces of which a pass made no plan, or whose pods or owners it could not read.

    With `is_unlisted` any namespace may be one of the latter: nobody knows which there are.
    """

    unplanned: frozenset[str]
    unread: frozenset[str]
    is_unlisted: bool = False

    @classmethod
    def of(cls, view: ClusterView, unplanned: Iterable[str]) -> "Unseen":
        """Find the namespaces in which a workload that does not show may be there all the same."""
        unread = (
            name
            for name, seen in view.namespaces.items()
            if any(isinstance(read, ReadFailure) for read in (seen.pods, *seen.owners.values()))
        )
        return cls(
            unplanned=frozenset(unplanned),
            unread=frozenset(unread),
            is_unlisted=view.unlisted is not None,
        )

    def with_rows(self, subjects: Subjects, rows: Rows) -> Subjects:
        """Add the workloads that have a row and may only be hidden: no evidence is no end."""
        if not (self.unplanned or self.unread or self.is_unlisted):
            return subjects
        hidden = {key: None for key in rows if key not in subjects and self._hides(key)}
        return {**subjects, **hidden}

    def _hides(self, key: RowKey) -> bool:
        workload, _, cronjob = key
        namespace = namespace_of(workload)
        # What has a CronJob is planned for, whatever could not be read.
        is_unread = self.is_unlisted or namespace in self.unread
        return namespace in self.unplanned or (is_unread and not cronjob)


def namespace_of(workload: str) -> str:
    """The namespace in an owner key."""
    return workload.partition("/")[0]


def list_subjects(
    results: Iterable[ApplyResult], found: Mapping[str, Workloads]
) -> Mapping[RowKey, Subject]:
    """Collect what the rows of a pass are made of; `found` are its workloads by namespace."""
    subjects: dict[RowKey, Subject] = {}
    without_cronjob: list[ApplyResult] = []
    for item in results:
        if (cronjob := item.cronjob) is None:
            without_cronjob.append(item)
            continue
        kind = annotations_of(cronjob).get(OWNER_KIND, "")
        subjects[item.workload_plan.workload, kind, name_of(cronjob)] = Subject(
            item.status, cronjob, item.due
        )
    if without_cronjob:
        taken = {(workload, kind) for workload, kind, _ in subjects}
        candidates = _candidates(without_cronjob, found, taken)
        for item in without_cronjob:
            # The CronJob of what is gone was deleted in this pass.
            if item.status.state not in _ABSENT:
                workload = _seen_workload(item, candidates)
                kind = workload.owner.ref.kind if workload else ""
                asked = _asked(workload) if workload else Asked()
                subjects[item.workload_plan.workload, kind, ""] = Subject(
                    item.status, None, asked=asked
                )
    return subjects


def _candidates(
    items: Iterable[ApplyResult],
    found: Mapping[str, Workloads],
    taken: set[tuple[str, str]],
) -> dict[str, list[Workload]]:
    """Index by owner key the workloads that no CronJob records."""
    keys: dict[str, list[Workload]] = {item.workload_plan.workload: [] for item in items}
    for workloads in found.values():
        for workload in workloads.items:
            if workload.key in keys and (workload.key, workload.owner.ref.kind) not in taken:
                keys[workload.key].append(workload)
    return keys


def _seen_workload(item: ApplyResult, candidates: dict[str, list[Workload]]) -> Workload | None:
    """Take the workload that a result is about: several kinds of owners may have one name."""
    named = candidates[item.workload_plan.workload]
    why = (item.status.reason, item.status.message)

    def fits(workload: Workload) -> bool:
        request = workload.request
        return isinstance(request, Rejected) and (request.reason, request.message) == why

    if not named:
        return None
    best = next(filter(fits, named), None) or max(
        named, key=lambda workload: not isinstance(workload.request, Rejected)
    )
    named.remove(best)
    return best


def _asked(workload: Workload) -> Asked:
    request = workload.request
    if not isinstance(request, Rejected):
        return Asked(request.engine.type, request.schedule, request.time_zone, request.backup_class)
    texts = (TYPE.text(annotations_of(pod)) for pod in workload.pods[:1])
    return Asked(next((text for text in texts if find_engine(text)), ""))
