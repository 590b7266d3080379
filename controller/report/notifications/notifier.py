"""Tells people by their own services what a pass found: the targets, and what goes to them."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from controller.kube.client import Kube
from controller.plan.changes import PassResult
from controller.report.notifications.apprise_urls import TRIES, URLS_KEY, WAIT, AppriseUrls
from controller.report.notifications.delivery import DeliveryCounts, DeliveryError, read_key
from controller.report.notifications.gathering import Gathering
from controller.report.notifications.messages import Message
from controller.report.notifications.news import news_of
from controller.report.notifications.outbox import Outbox
from controller.report.notifications.overdue import OverdueWatch
from controller.report.notifications.webhook import URL_KEY, Webhook
from controller.report.transition_log import log_transition
from controller.report.transitions import Transition, WorkloadOverdue
from controller.runs.due import slack_of
from controller.settings.settings import Settings
from dumpers.runtime.log import fields

# So long the end of the process waits for messages; the kubelet gives it some more.
CLOSE_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """The outboxes of all targets, none where no Secret is mounted, and what is watched for them.

    `clock` is in seconds, from any moment on.
    """

    settings: Settings
    outboxes: tuple[Outbox, ...] = ()
    watch: OverdueWatch | None = None
    clock: Callable[[], float] = time.monotonic
    _gathering: Gathering = field(default_factory=Gathering, init=False)

    def look(self, result: PassResult, now: float) -> tuple[WorkloadOverdue, ...]:
        """List, and log, what a pass has found overdue; `now` is in seconds since the epoch."""
        if self.watch is None or result.stopped:
            return ()
        found = self.watch.look(result.results, int(now))
        for transition in found:
            log_transition(transition)
        return found

    def tell(self, transitions: Iterable[Transition]) -> None:
        """Tell what a pass changed, which may be nothing; returns at once, whatever targets do."""
        if self.outboxes:
            about = self.settings.notifications_about
            news = (news_of(transition, slack_of(self.settings)) for transition in transitions)
            wanted = [item for item in news if item and item.occasion in about]
            self._put(self._gathering.gather(wanted, self.clock()))

    def forget(self) -> None:
        """Let another process tell from now on; what it could not know goes out first."""
        self._put(self._gathering.rest())
        if self.watch is not None:
            self.watch.forget()

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Send what is not told yet, so many seconds at most, and then nothing any more."""
        self._put(self._gathering.rest())
        end = self.clock() + seconds
        for outbox in self.outboxes:
            outbox.close(max(0.0, end - self.clock()))

    def _put(self, messages: Iterable[Message]) -> None:
        for message in messages:
            for outbox in self.outboxes:
                outbox.put(message)


def start_notifier(kube: Kube, settings: Settings, counts: DeliveryCounts) -> Notifier:
    """Start a thread for each target, where the settings name the folder of a Secret."""
    if not settings.notifications_folder:
        return Notifier(settings=settings)
    folder = Path(settings.notifications_folder)
    webhook = Webhook(folder=folder, settings=settings, clock=lambda: datetime.now(UTC))
    outboxes = (
        Outbox(target="webhook", deliver=webhook, counts=counts),
        Outbox(
            target="apprise",
            deliver=AppriseUrls(folder=folder),
            counts=counts,
            wait=WAIT,
            tries=TRIES,
        ),
    )
    for outbox in outboxes:
        outbox.start()
    _log_targets(folder)
    watch = OverdueWatch(kube=kube, settings=settings, slack=slack_of(settings))
    return Notifier(settings=settings, outboxes=outboxes, watch=watch)


def _log_targets(folder: Path) -> None:
    """Log which keys of the Secret are there: a name that was mistyped is only seen here."""
    try:
        there = [key for key in (URL_KEY, URLS_KEY) if read_key(folder, key)]
    except DeliveryError as error:
        _log.warning("notifications go nowhere", extra=fields(why=str(error)))
        return
    if there:
        _log.info("notifications begin", extra=fields(keys=there))
    else:
        why = f"the Secret has neither {URL_KEY} nor {URLS_KEY}, or is not there"
        _log.warning("notifications go nowhere", extra=fields(why=why))
