"""A message to people about some workloads, as text and as JSON; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from controller.model.fixes import RUN_FIXES
from controller.runs.causes.failure_causes import FailureCause
from controller.settings.choices import Occasion
from controller.settings.settings import Settings

VERSION = 1
_TITLES = {
    Occasion.FAILURE: ("backup failed", "backups failed"),
    Occasion.RECOVERY: ("backup is good again", "backups are good again"),
    Occasion.OVERDUE: ("backup is overdue", "backups are overdue"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One workload of a message; `at` is when its run ended or was due, in RFC 3339.

    `reason` and `message` are of its last run, empty where that was good or is not known.
    """

    workload: str
    cronjob: str
    reason: str
    message: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent, once to each target. `affected` are the first of `count` workloads."""

    occasion: Occasion
    cause: FailureCause
    count: int
    affected: tuple[Affected, ...]

    @property
    def title(self) -> str:
        """One line: how many backups, and what about them."""
        one, many = _TITLES[self.occasion]
        cause = f" ({self.cause})" if self.cause is not FailureCause.NONE else ""
        return f"ksnapshot: {self.count} {one if self.count == 1 else many}{cause}"

    @property
    def text(self) -> str:
        """The first workloads, a line each, how many there are besides, and what to do."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for item in self.affected:
            why = ": ".join(filter(None, (item.reason, item.message)))
            yield ": ".join(filter(None, (f"{item.workload} ({item.at})", why)))
        if more := self.count - len(self.affected):
            yield f"and {more} more"
        for reason in dict.fromkeys(item.reason for item in self.affected):
            if fix := RUN_FIXES.get(reason):
                yield f"To do, {reason}: {fix}"


def webhook_body(message: Message, settings: Settings, now: datetime) -> bytes:
    """Write the JSON document that a webhook gets: docs/notifications.md describes it."""
    document: Mapping[str, Any] = {
        "version": VERSION,
        "occasion": message.occasion,
        "cause": message.cause,
        "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "cluster": settings.cluster_name,
        "namespace": settings.control_namespace,
        "instance": settings.instance,
        "title": message.title,
        "text": message.text,
        "count": message.count,
        "workloads": [asdict(item) for item in message.affected],
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
