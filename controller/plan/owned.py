"""The generated objects of a view, indexed, and which of them are this install's."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from controller.manifests.ownership import is_ours, owner_of
from controller.model import names
from controller.model.objects import (
    Json,
    Objects,
    annotations_of,
    name_of,
    owner_references,
)
from controller.model.status import ReadFailure
from controller.model.view import ClusterView
from controller.runs.event_causes import events_by_job
from controller.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedObjects:
    """Objects of the control namespace.

    `cronjobs` and `secrets` are by name and hold foreign ones too; `failed` says that they are
    not known. `ours` holds this install's CronJobs by the namespace of their workload. `jobs` go
    by CronJob uid, `pods` and `events` by Job uid.
    """

    cronjobs: Mapping[str, Json] = field(repr=False)
    secrets: Mapping[str, Json] = field(repr=False)
    failed: ReadFailure | None
    ours: Mapping[str, Mapping[str, Json]] = field(repr=False)
    jobs: Mapping[str, Objects] | ReadFailure = field(repr=False)
    pods: Mapping[str, Objects] | ReadFailure = field(repr=False)
    events: Mapping[str, Objects] = field(default_factory=dict, repr=False)


def index_owned(view: ClusterView, settings: Settings) -> OwnedObjects:
    """Index the control namespace of a view."""
    control = view.control
    failures = (
        item for item in (control.cronjobs, control.secrets) if isinstance(item, ReadFailure)
    )
    return OwnedObjects(
        cronjobs={name_of(item): item for item in _known(control.cronjobs)},
        secrets={name_of(item): item for item in _known(control.secrets)},
        failed=next(failures, None),
        ours=ours_by_namespace(control.cronjobs, view.namespaces, settings),
        jobs=control.jobs if isinstance(control.jobs, ReadFailure) else by_owner(control.jobs),
        pods=control.pods if isinstance(control.pods, ReadFailure) else by_owner(control.pods),
        events=events_by_job(_known(control.jobs), _known(control.events)),
    )


def ours_by_namespace(
    cronjobs: Objects | ReadFailure, watched: Container[str], settings: Settings
) -> Mapping[str, Mapping[str, Json]]:
    """Index this install's CronJobs by the namespace of their workload, then by name."""
    by_namespace: dict[str, dict[str, Json]] = defaultdict(dict)
    for cronjob in _known(cronjobs):
        namespace, ref = owner_of(cronjob)
        recorded = names.INSTANCE in annotations_of(cronjob)
        # What 0.6.0 made could be anybody's where this install does not watch.
        if ref.name and is_ours(cronjob, settings) and (recorded or namespace in watched):
            by_namespace[namespace][name_of(cronjob)] = cronjob
    return by_namespace


def _known(listed: Objects | ReadFailure) -> Objects:
    return () if isinstance(listed, ReadFailure) else listed


def by_owner(listed: Objects) -> Mapping[str, Objects]:
    """Objects by the uid of each of their owners."""
    grouped: dict[str, list[Json]] = defaultdict(list)
    for item in listed:
        for uid in _owner_uids(item):
            grouped[uid].append(item)
    return {uid: tuple(items) for uid, items in grouped.items()}


def _owner_uids(item: Json) -> Iterable[str]:
    return {str(owner.get("uid", "")) for owner in owner_references(item)}
