"""What proves the backups of a dump CronJob by a schedule of its own: since when, and until when.

The dump CronJob records that schedule, and so all that is told of these runs comes from it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.model.names import (
    DRILL_SCHEDULE,
    DRILL_SINCE,
    SUSPENDED_SINCE,
    VERIFY_SCHEDULE,
    VERIFY_SINCE,
)
from controller.model.objects import Json, annotations_of, is_suspended
from controller.runs.due import Expectation, due, seconds_of

_UTC = "Etc/UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSchedule:
    """The annotations of a dump CronJob about one kind of proof by schedule.

    `line` holds the cron line, and is absent where there is no such schedule; `since` holds since
    when that is in force.
    """

    line: str
    since: str

    def is_asked(self, cronjob: Json) -> bool:
        """Whether the backups of a CronJob are proved by such a schedule."""
        return self.line in annotations_of(cronjob)

    def marks(self, target: Json, existing: Json | None, now: datetime) -> Mapping[str, str]:
        """The annotation that says since when the schedule is in force; empty where it stays.

        Where a suspended CronJob goes on, its schedule counts as in force from then.
        """
        if not self.is_asked(target):
            return {}
        before: Mapping[str, str] = annotations_of(existing or {})
        was_suspended = SUSPENDED_SINCE in before and not is_suspended(target)
        is_known = self.since in before and self._line_of(existing or {}) == self._line_of(target)
        if is_known and not was_suspended:
            return {}
        return {self.since: now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def due(self, cronjob: Json, last: str, allowance: int) -> int | None:
        """When the next run must have ended well, in seconds since the epoch; None if none must.

        `last` is when the last one did (RFC 3339), empty before the first. `allowance` is how many
        seconds after its moment a run must have ended and be recorded.
        """
        in_force = seconds_of(annotations_of(cronjob).get(self.since))
        if not self.is_asked(cronjob) or in_force is None or is_suspended(cronjob):
            return None
        since = max(in_force, seconds_of(last) or 0)
        schedule, zone = self._line_of(cronjob)
        return due(
            Expectation(
                schedule=schedule, zone=zone, since=since, anchor=since, allowance=allowance
            )
        )

    def _line_of(self, cronjob: Json) -> tuple[str, str]:
        """The cron line, and its time zone."""
        zone = (cronjob.get("spec") or {}).get("timeZone")
        return annotations_of(cronjob).get(self.line, ""), str(zone or _UTC)


VERIFICATIONS = ProofSchedule(line=VERIFY_SCHEDULE, since=VERIFY_SINCE)
DRILLS = ProofSchedule(line=DRILL_SCHEDULE, since=DRILL_SINCE)


def proof_schedule_marks(target: Json, existing: Json | None, now: datetime) -> Mapping[str, str]:
    """The marks of both schedules; see ProofSchedule.marks."""
    return {
        **VERIFICATIONS.marks(target, existing, now),
        **DRILLS.marks(target, existing, now),
    }
