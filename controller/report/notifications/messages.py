"""A message to people about some workloads, as text and as JSON; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from controller.model.fixes import RUN_FIXES, drill_fix, verification_fix
from controller.runs.causes.failure_causes import FailureCause
from controller.settings.choices import Occasion
from controller.settings.settings import Settings

VERSION = 1


class About(StrEnum):
    """What a message is about."""

    BACKUP = "backup"
    VERIFICATION = "verification"
    DRILL = "drill"


_TITLES: Mapping[tuple[About, Occasion], tuple[str, str]] = {
    (About.BACKUP, Occasion.FAILURE): ("backup failed", "backups failed"),
    (About.BACKUP, Occasion.RECOVERY): ("backup is good again", "backups are good again"),
    (About.BACKUP, Occasion.OVERDUE): ("backup is overdue", "backups are overdue"),
    (About.VERIFICATION, Occasion.FAILURE): ("verification failed", "verifications failed"),
    (About.VERIFICATION, Occasion.RECOVERY): (
        "verification is good again",
        "verifications are good again",
    ),
    (About.DRILL, Occasion.FAILURE): ("drill failed", "drills failed"),
    (About.DRILL, Occasion.RECOVERY): ("drill is good again", "drills are good again"),
}
# Of failures that speak against a backup, and need no word for whose trouble that is.
_VERDICTS: Mapping[About, tuple[str, str]] = {
    About.VERIFICATION: ("workload has damaged backups", "workloads have damaged backups"),
    About.DRILL: (
        "workload has a backup that did not pass a drill",
        "workloads have a backup that did not pass a drill",
    ),
}


def _fix(about: About, reason: str) -> str:
    """What to do about a reason; empty for one that nobody knows."""
    if about is About.VERIFICATION:
        return verification_fix(reason)
    return drill_fix(reason) if about is About.DRILL else RUN_FIXES.get(reason, "")


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
    about: About = About.BACKUP

    @property
    def title(self) -> str:
        """One line: how many backups, and what about them."""
        one, many = _TITLES[self.about, self.occasion]
        cause = f" ({self.cause})" if self.cause is not FailureCause.NONE else ""
        if self.cause is FailureCause.BACKUP and self.occasion is Occasion.FAILURE:
            (one, many), cause = _VERDICTS[self.about], ""
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
            if fix := _fix(self.about, reason):
                yield f"To do, {reason}: {fix}"


def webhook_body(message: Message, settings: Settings, now: datetime) -> bytes:
    """Write the JSON document that a webhook gets: docs/notifications.md describes it."""
    document: Mapping[str, Any] = {
        "version": VERSION,
        "occasion": message.occasion,
        "about": message.about,
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
