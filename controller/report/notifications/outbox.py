"""Sends messages to one target from a thread of its own, and never makes anybody wait.

The queue is bounded: where the target takes too long, the oldest messages go. The thread is a
daemon: what is not sent soon after the process is asked to end is dropped.
"""

import logging
from collections import deque
from dataclasses import dataclass, field
from threading import Condition, Event, Thread

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    sleep_using_event,
    stop_after_attempt,
    stop_after_delay,
    stop_when_event_set,
    wait_exponential_jitter,
)
from tenacity.wait import wait_base

from controller.report.notifications.delivery import (
    Deliver,
    DeliveryCounts,
    DeliveryError,
    Outcome,
)
from controller.report.notifications.messages import Message
from dumpers.runtime.log import fields

CAPACITY = 100
# For so long a message is tried; people who are told later know by then.
PATIENCE_SECONDS = 600.0
_WAIT = wait_exponential_jitter(initial=1, max=60)
_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Outbox:
    """The messages for one target; `start` begins to send them.

    `patience` is how many seconds one message is tried, `wait` the pause between tries, and `tries`
    how many there are at most, None for as many as there is time for.
    """

    target: str
    deliver: Deliver
    counts: DeliveryCounts
    capacity: int = CAPACITY
    patience: float = PATIENCE_SECONDS
    wait: wait_base = _WAIT
    tries: int | None = None
    _waiting: deque[Message] = field(default_factory=deque, init=False)
    _changed: Condition = field(default_factory=Condition, init=False)
    _sending: Message | None = field(default=None, init=False)
    _ending: Event = field(default_factory=Event, init=False)
    _thread: Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Send from now on."""
        name = f"notifications-{self.target}"
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        """Take a message, at once; the oldest one goes where there are too many."""
        with self._changed:
            dropped = self._waiting.popleft() if len(self._waiting) >= self.capacity else None
            self._waiting.append(message)
            self._changed.notify()
        if dropped:
            self._drop(dropped, "too many wait: the target takes too long")

    def close(self, seconds: float) -> None:
        """Try once more, at once, what waits: so many seconds at most, and the rest is dropped."""
        with self._changed:
            self._ending.set()
            self._changed.notify()
        if self._thread:
            self._thread.join(seconds)
        with self._changed:
            left = [*filter(None, (self._sending,)), *self._waiting]
            self._waiting.clear()
        for message in left:
            self._drop(message, "the controller ends")

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._send(message)
            except DeliveryError as error:
                self._fail(message, str(error))
            except Exception as error:  # noqa: BLE001  the thread's edge; the text may hold a URL
                self._fail(message, f"a fault of the controller: {type(error).__name__}")

    def _next(self) -> Message | None:
        """Wait for the next message; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending.is_set())
            self._sending = self._waiting.popleft() if self._waiting else None
            return self._sending

    def _send(self, message: Message) -> None:
        stop = stop_after_delay(self.patience) | stop_when_event_set(self._ending)
        if self.tries is not None:
            stop |= stop_after_attempt(self.tries)
        tries = Retrying(
            retry=retry_if_exception(_may_heal),
            stop=stop,
            wait=self.wait,
            sleep=sleep_using_event(self._ending),
            before_sleep=self._tell_retry,
            reraise=True,
        )
        is_set_up = tries(self.deliver, message)
        self._settle()
        if is_set_up:
            _log.info("notification sent", extra=fields(**self._about(message)))
            self.counts.count(self.target, Outcome.SENT)

    def _tell_retry(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.debug("notification is tried again", extra=fields(target=self.target, why=str(error)))

    def _settle(self) -> None:
        """Leave nothing of the message to `close`."""
        with self._changed:
            self._sending = None

    def _fail(self, message: Message, why: str) -> None:
        self._settle()
        _log.warning("notification not sent", extra=fields(**self._about(message), why=why))
        self.counts.count(self.target, Outcome.FAILED)

    def _drop(self, message: Message, why: str) -> None:
        _log.warning("notification dropped", extra=fields(**self._about(message), why=why))
        self.counts.count(self.target, Outcome.DROPPED)

    def _about(self, message: Message) -> dict[str, object]:
        return {
            "target": self.target,
            "occasion": message.occasion,
            "cause": message.cause,
            "count": message.count,
        }


def _may_heal(error: BaseException) -> bool:
    return isinstance(error, DeliveryError) and error.may_heal
