"""Gathers news into messages: one a subject, occasion and cause, and then a quiet time; pure.

A store that is down fails the runs of all workloads, over some minutes. People get a message as
soon as the first pass sees it, and what follows in the quiet time as one more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from controller.report.notifications.messages import About, Affected, Message
from controller.report.notifications.news import News
from controller.runs.causes.failure_causes import FailureCause
from controller.settings.choices import Occasion

QUIET_SECONDS = 600.0
# So many workloads of a message are named.
SHOWN = 10

_Group: TypeAlias = tuple[About, Occasion, FailureCause]


@dataclass(slots=True, kw_only=True)
class Gathering:
    """What is not told yet, and of what nothing is told before a moment, in seconds of a clock."""

    _waiting: dict[_Group, list[Affected]] = field(default_factory=dict)
    _quiet_until: dict[_Group, float] = field(default_factory=dict)

    def gather(self, news: Iterable[News], now: float) -> tuple[Message, ...]:
        """Take the news of a pass, and return the messages that are due, the oldest news first."""
        for item in news:
            group = (item.about, item.occasion, item.cause)
            self._waiting.setdefault(group, []).append(item.affected)
        self._quiet_until = {
            group: until for group, until in self._quiet_until.items() if until > now
        }
        due = [group for group in self._waiting if group not in self._quiet_until]
        self._quiet_until |= dict.fromkeys(due, now + QUIET_SECONDS)
        return tuple(_message(group, self._waiting.pop(group)) for group in due)

    def rest(self) -> tuple[Message, ...]:
        """Return what still waits for the end of a quiet time."""
        left = tuple(_message(group, affected) for group, affected in self._waiting.items())
        self._waiting.clear()
        return left


def _message(group: _Group, affected: list[Affected]) -> Message:
    """Make a message of all workloads of a group; one that is in it twice counts once."""
    about, occasion, cause = group
    latest = {(item.workload, item.cronjob): item for item in affected}
    return Message(
        occasion=occasion,
        cause=cause,
        count=len(latest),
        affected=tuple(latest[name] for name in sorted(latest)[:SHOWN]),
        about=about,
    )
