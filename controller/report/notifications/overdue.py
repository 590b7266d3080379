"""Finds the workloads that have become overdue, so that each is told once, whatever restarts.

All that has to outlive the process is a moment: what was due by then is told. It is an annotation
of the status ConfigMap, written anew only when something is told; nothing has become overdue since.
A CronJob that a pass did not see is looked at from where it was seen last, and holds the moment
back for as long.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from controller.kube.client import CONFIG_MAPS, CRONJOBS, Kube, KubeError, NotFoundError
from controller.manifests.ownership import is_ours
from controller.model.kinds import CRONJOB
from controller.model.names import LAST_RESULT, LAST_SUCCESS, OVERDUE_TOLD_UNTIL, OWNER
from controller.model.objects import Json, annotations_of, metadata, name_of, recorded
from controller.plan.absence import format_time
from controller.plan.changes import ApplyResult
from controller.report.status_writer import status_name
from controller.report.transitions import WorkloadOverdue
from controller.runs.due import due_at, seconds_of
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

# So many CronJobs that a pass did not see are asked for by themselves.
_ASKED = 50
_log = logging.getLogger(__name__)


class _Look(NamedTuple):
    """When a CronJob was due as it was looked at last, and the moment of that."""

    due: int | None
    at: int


@dataclass(slots=True, kw_only=True)
class OverdueWatch:
    """What a process knows; moments are in seconds since the epoch, and so is `slack` a time.

    What was due by `_start` is told of CronJobs that this process has not looked at, None until it
    was read. `_noted` is the moment in the ConfigMap, None without one, and `_told` the latest due
    time that was told. `_looks` goes by CronJob.
    """

    kube: Kube
    settings: Settings
    slack: int
    _start: int | None = field(default=None, init=False)
    _noted: int | None = field(default=None, init=False)
    _told: int = field(default=0, init=False)
    _complaint: str = field(default="", init=False)
    _looks: dict[str, _Look] = field(default_factory=dict, init=False, repr=False)

    def look(self, results: Iterable[ApplyResult], now: int) -> tuple[WorkloadOverdue, ...]:
        """List the workloads of a whole pass that have become overdue since they were looked at.

        None while nobody can say what was told before; they follow in a later pass. On the very
        first start what is overdue already is no news.
        """
        if self._start is None and not self._read(now):
            return ()
        assert self._start is not None
        found = (*self._seen(results, self._start, now), *self._unseen(now))
        # Who starts anew from this moment misses nothing of any CronJob.
        until = min((look.at for look in self._looks.values()), default=self._start)
        if found or self._noted is None or self._noted < self._told <= until:
            self._note(until)
        return found

    def forget(self) -> None:
        """Look anew at what was told before the next pass, as another process tells meanwhile."""
        self._start, self._noted, self._told, self._looks = None, None, 0, {}

    def _seen(
        self, results: Iterable[ApplyResult], start: int, now: int
    ) -> tuple[WorkloadOverdue, ...]:
        """Look at each CronJob of a pass, and leave those that it did not see as they are."""
        found = []
        for item in results:
            if (cronjob := item.cronjob) is None:
                continue
            if before := self._looks.get(name_of(cronjob)):
                since, due_before = before.at, before.due
            else:
                since, due_before = start, self._due_before(item)
            if self._look_at(cronjob, (item.due, due_before), since, now):
                found.append(self._told_of(item.workload_plan.workload, cronjob))
        return tuple(found)

    def _unseen(self, now: int) -> tuple[WorkloadOverdue, ...]:
        """Ask for the CronJobs that the pass did not see, and look at those that are still there.

        One that is gone is forgotten. The first that cannot be read ends this until the next pass.
        """
        unseen = [name for name, look in self._looks.items() if look.at < now]
        found = []
        for name in sorted(unseen, key=lambda name: self._looks[name].at)[:_ASKED]:
            before = self._looks[name]
            try:
                cronjob = self.kube.get(CRONJOBS, self.settings.control_namespace, name)
            except NotFoundError:
                del self._looks[name]
                continue
            except KubeError:
                break
            if not is_ours(cronjob, self.settings):
                del self._looks[name]
            elif self._look_at(cronjob, (due_at(cronjob, self.slack), before.due), before.at, now):
                found.append(self._told_of(annotations_of(cronjob).get(OWNER, name), cronjob))
        return tuple(found)

    def _look_at(
        self, cronjob: Json, dues: tuple[int | None, int | None], since: int, now: int
    ) -> bool:
        """Whether a CronJob has become overdue since it was looked at, by then or by a new plan.

        `dues` are its due time, and the one before.
        """
        due, due_before = dues
        self._looks[name_of(cronjob)] = _Look(due, max(since, now))
        if due is None or due > now:
            return False
        return due > since or (due_before is not None and due_before > since)

    def _due_before(self, item: ApplyResult) -> int | None:
        """When the dump CronJob was due before the pass changed it; None if it did not."""
        name = item.workload_plan.cronjob
        changes = (
            change
            for change in item.done
            if change.kind == CRONJOB and change.name == name and change.before
        )
        changed = next(changes, None)
        return due_at(changed.before or {}, self.slack) if changed else None

    def _told_of(self, workload: str, cronjob: Json) -> WorkloadOverdue:
        due = self._looks[name_of(cronjob)].due
        assert due is not None
        self._told = max(self._told, due)
        return _transition(workload, cronjob, due)

    def _read(self, now: int) -> bool:
        """Read what was told before this process; False where that cannot be known now."""
        try:
            found = annotations_of(self._status()).get(OVERDUE_TOLD_UNTIL)
        except KubeError as error:
            self._complain(error)
            return False
        self._noted = seconds_of(found)
        self._start = now if self._noted is None else min(self._noted, now)
        return True

    def _note(self, until: int) -> None:
        """Write by when all is told; where that fails a later pass does it."""
        try:
            status = self._status()
            noted = {**annotations_of(status), OVERDUE_TOLD_UNTIL: _moment(until)}
            body = {**status, "metadata": {**metadata(status), "annotations": noted}}
            self.kube.replace(CONFIG_MAPS, self.settings.control_namespace, body)
        except KubeError as error:
            self._complain(error)
            return
        self._noted, self._complaint = until, ""

    def _status(self) -> Json:
        """Read the status ConfigMap, which each pass makes if it is not there."""
        name = status_name(self.settings)
        return self.kube.get(CONFIG_MAPS, self.settings.control_namespace, name)

    def _complain(self, error: KubeError) -> None:
        if str(error) != self._complaint:
            self._complaint = str(error)
            _log.warning("what is overdue not noted", extra=fields(why=str(error)))


def _transition(workload: str, cronjob: Json, due: int) -> WorkloadOverdue:
    result = recorded(cronjob, LAST_RESULT)
    has_failed = bool(result) and result.get("succeeded") is not True
    return WorkloadOverdue(
        workload=workload,
        cronjob=name_of(cronjob),
        due=_moment(due),
        last_success=str(recorded(cronjob, LAST_SUCCESS).get("finished", "")),
        reason=str(result.get("reason", "")) if has_failed else "",
        message=str(result.get("message", "")) if has_failed else "",
    )


def _moment(seconds: int) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
