"""Finds the workloads that have become overdue, so that each is told once, whatever restarts.

All that has to outlive the process is a moment: what was due by then is told. It is an annotation
of the status ConfigMap, written anew only when something is told; nothing has become overdue since.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.kube.client import CONFIG_MAPS, Kube, KubeError
from controller.model.names import LAST_RESULT, LAST_SUCCESS, OVERDUE_TOLD_UNTIL
from controller.model.objects import Json, annotations_of, metadata, name_of, recorded
from controller.plan.absence import format_time
from controller.plan.changes import ApplyResult
from controller.report.status_writer import status_name
from controller.report.transitions import WorkloadOverdue
from controller.runs.due import due_at, seconds_of
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class OverdueWatch:
    """What a process knows; moments are in seconds since the epoch, and so is `slack` a time.

    `_until` is the moment by which all that was due is told, None until it was read; with
    `_is_noted` the ConfigMap has it. `_dues` holds by CronJob what it was when its due time was
    found, which costs more than all else here.
    """

    kube: Kube
    settings: Settings
    slack: int
    _until: int | None = field(default=None, init=False)
    _is_noted: bool = field(default=False, init=False)
    _complaint: str = field(default="", init=False)
    _dues: dict[str, tuple[Json, int | None]] = field(default_factory=dict, init=False, repr=False)

    def look(self, results: Iterable[ApplyResult], now: int) -> tuple[WorkloadOverdue, ...]:
        """List the workloads of a whole pass that have become overdue since they were looked at.

        None while nobody can say what was told before; they follow in a later pass. On the very
        first start what is overdue already is no news.
        """
        if self._until is None and not self._read(now):
            return ()
        assert self._until is not None
        found = tuple(self._overdue(results, self._until, now))
        self._until = max(self._until, now)
        if found or not self._is_noted:
            self._is_noted = self._note(self._until)
        return found

    def forget(self) -> None:
        """Look anew at what was told before the next pass, as another process tells meanwhile."""
        self._until, self._is_noted, self._dues = None, False, {}

    def _overdue(
        self, results: Iterable[ApplyResult], since: int, now: int
    ) -> Iterator[WorkloadOverdue]:
        dues: dict[str, tuple[Json, int | None]] = {}
        for item in results:
            if (cronjob := item.cronjob) is None:
                continue
            name = name_of(cronjob)
            known = self._dues.get(name)
            # The same object as long as nothing of it changes.
            is_known = known is not None and known[0] is cronjob
            due = known[1] if known and is_known else due_at(cronjob, self.slack)
            dues[name] = (cronjob, due)
            if due is not None and since < due <= now:
                yield _transition(item.workload_plan.workload, cronjob, due)
        self._dues = dues

    def _read(self, now: int) -> bool:
        """Read what was told before this process; False where that cannot be known now."""
        try:
            found = annotations_of(self._status()).get(OVERDUE_TOLD_UNTIL)
        except KubeError as error:
            self._complain(error)
            return False
        told = seconds_of(found)
        self._until, self._is_noted = (now, False) if told is None else (min(told, now), True)
        return True

    def _note(self, until: int) -> bool:
        """Write what is told; False where that failed, and the next pass has to."""
        try:
            status = self._status()
            noted = {**annotations_of(status), OVERDUE_TOLD_UNTIL: _moment(until)}
            body = {**status, "metadata": {**metadata(status), "annotations": noted}}
            self.kube.replace(CONFIG_MAPS, self.settings.control_namespace, body)
        except KubeError as error:
            self._complain(error)
            return False
        self._complaint = ""
        return True

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
