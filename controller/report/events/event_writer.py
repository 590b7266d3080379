"""Sends Events to the owners of workloads: what changed, and again what is not well.

An Event that cannot be sent fails nothing; it is tried again, and told in the log once.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from controller.kube.client import EVENTS, ConflictError, Kube, KubeError
from controller.manifests.ownership import members_of
from controller.model.kinds import OWNER_GROUP
from controller.model.names import OWNER_UID
from controller.model.objects import annotations_of, name_of
from controller.model.owner import Owner
from controller.report.events.notice import REFRESH_SECONDS, Notice, Place, event
from controller.report.events.notices import UNKNOWN, notices, prune_notices
from controller.report.status_subjects import RowKey, Subject, namespace_of
from controller.runs.proving.schedules import DRILLS
from controller.runs.retention.prunes import Prunes
from controller.settings.settings import Settings
from controller.workloads.discovery import Workloads
from dumpers.runtime.log import fields

# Of one pass; what is left follows in the next ones. An API server has other things to do.
MOST = 50
_REFRESH = timedelta(seconds=REFRESH_SECONDS)
_PAUSE = timedelta(minutes=10)
_log = logging.getLogger(__name__)

# A workload, and what about it: its state, its last run, or a proof of its backups.
_Topic: TypeAlias = tuple[RowKey, str]
_Noticed: TypeAlias = tuple[Subject, tuple[tuple[str, Notice], ...]]


@dataclass(slots=True, kw_only=True)
class EventMemory:
    """What a process has told.

    `told` holds by workload and topic what was told when; None before the first pass. `noticed`
    holds what there was to tell of each workload in the last pass, so that one that is as it was
    costs nothing. `failed` says of namespaces since when Events cannot be written there.
    """

    told: dict[_Topic, tuple[Notice, datetime]] | None = None
    noticed: Mapping[RowKey, _Noticed] = field(default_factory=dict, repr=False)
    failed: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWriter:
    """The Events of one pass."""

    kube: Kube
    settings: Settings
    now: datetime

    def write(
        self,
        memory: EventMemory,
        subjects: Mapping[RowKey, Subject],
        found: Mapping[str, Workloads],
        prunes: Prunes | None = None,
    ) -> None:
        """Send what is new, and anew what is not well; `found` are the workloads by namespace.

        `prunes` tell of those whose backups are held back.

        After a start, what is well was told by the process before, or is no news any more.
        """
        of_prune = prune_notices(prunes, _drilled(subjects)) if prunes else {}
        before, is_first = memory.told or {}, memory.told is None
        told: dict[_Topic, tuple[Notice, datetime]] = {}
        due: list[tuple[_Topic, Notice]] = []
        earlier = memory.noticed
        memory.noticed = {
            key: _noticed(subject, earlier.get(key)) for key, subject in subjects.items()
        }
        for key, (_, items) in memory.noticed.items():
            pruned = of_prune.get(key[2])
            for name, notice in (*items, ("prune", pruned)) if pruned else items:
                topic = (key, name)
                last = before.get(topic)
                # A read that fails once mostly works in the next pass.
                is_lasting = notice.reason != UNKNOWN or _has_unknown(earlier.get(key))
                if is_lasting and self._is_due(notice, last, is_first=is_first):
                    due.append((topic, notice))
                elif is_lasting and last is None:
                    last = (notice, self.now)
                if last:
                    told[topic] = last
        memory.told = told
        if due:
            # What was never told comes first, then what was told longest ago.
            due.sort(key=lambda item: told[item[0]][1].timestamp() if item[0] in told else 0.0)
            self._send(due, memory, told, _Owners(subjects=subjects, found=found))

    def _is_due(
        self, notice: Notice, last: tuple[Notice, datetime] | None, *, is_first: bool
    ) -> bool:
        if last is None:
            return notice.is_warning or not is_first
        before, at = last
        if before == notice:
            return notice.is_warning and self.now - at >= _REFRESH
        # A message that alone changes may do so in every pass.
        is_other = (before.reason, before.of) != (notice.reason, notice.of)
        return is_other or self.now - at >= _PAUSE

    def _send(
        self,
        due: list[tuple[_Topic, Notice]],
        memory: EventMemory,
        told: dict[_Topic, tuple[Notice, datetime]],
        owners: "_Owners",
    ) -> None:
        sent, lost = 0, 0.0
        for topic, notice in due:
            key, _ = topic
            namespace = namespace_of(key[0])
            if not owners.are_watched_in(namespace):
                continue
            since = memory.failed.get(namespace)
            if since is not None and self.now - since < _REFRESH:
                continue
            if sent >= MOST or lost > self.settings.api_timeout:
                return
            sent, began = sent + 1, time.monotonic()
            place = owners.place(key)
            if place is None or self._tell(notice, place, memory):
                told[topic] = (notice, self.now)
            else:
                lost += time.monotonic() - began

    def _tell(self, notice: Notice, place: Place, memory: EventMemory) -> bool:
        """Send one Event; False where that failed, which is then logged."""
        body = event(notice, place, self.settings.instance, self.now)
        try:
            self.kube.create(EVENTS, place.namespace, body)
        except ConflictError:
            # The process before has told it.
            return True
        except KubeError as error:
            memory.failed[place.namespace] = self.now
            _log.warning("event not sent", extra=fields(namespace=place.namespace, why=str(error)))
            return False
        memory.failed.pop(place.namespace, None)
        return True


class _Owners:
    """The objects whose people are told."""

    def __init__(
        self, *, subjects: Mapping[RowKey, Subject], found: Mapping[str, Workloads]
    ) -> None:
        self._subjects, self._watched = subjects, found.keys()
        self._seen: Mapping[tuple[str, str], Owner] = {
            (workload.key, workload.owner.ref.kind): workload.objects[0]
            for workloads in found.values()
            for workload in workloads.items
        }

    def are_watched_in(self, namespace: str) -> bool:
        """Whether a namespace is watched: elsewhere Events could as a rule not be sent."""
        return namespace in self._watched

    def place(self, key: RowKey) -> Place | None:
        """The owner, or the first member of a group; None where no object is known."""
        workload, kind, _ = key
        namespace, _, name = workload.partition("/")
        if owner := self._seen.get((workload, kind)):
            return Place(namespace, owner.ref.kind, owner.ref.name, owner.uid)
        cronjob = self._subjects[key].cronjob or {}
        if kind == OWNER_GROUP:
            for ref, uid in sorted(members_of(cronjob).items()):
                return Place(namespace, ref.kind, ref.name, uid)
            return None
        return (
            Place(namespace, kind, name, annotations_of(cronjob).get(OWNER_UID, ""))
            if kind
            else None
        )


def _drilled(subjects: Mapping[RowKey, Subject]) -> frozenset[str]:
    """The names of the CronJobs whose backups are drilled by a schedule."""
    return frozenset(
        name_of(subject.cronjob)
        for subject in subjects.values()
        if subject.cronjob is not None and DRILLS.is_asked(subject.cronjob)
    )


def _has_unknown(before: "_Noticed | None") -> bool:
    return before is not None and any(notice.reason == UNKNOWN for _, notice in before[1])


def _noticed(subject: Subject, before: "_Noticed | None") -> "_Noticed":
    """What there is to tell of a workload, found out anew only where the workload changed."""
    if before is not None and before[0] == subject:
        # This subject, as the earlier one must not stay: the next pass has its very objects again,
        # and comparing those costs next to nothing.
        return subject, before[1]
    return subject, tuple(notices(subject))
