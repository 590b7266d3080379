"""Runs pass after pass until the process is asked to stop."""

import gc
import logging
import time
from dataclasses import dataclass
from functools import partial
from threading import Event

from controller.kube.client import Kube
from controller.loop.leader import Leadership
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.report.http_server import Health
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.notifier import Notifier
from controller.report.page.status_page import StatusPage
from controller.report.transition_log import log_transition
from controller.report.transitions import Transition
from controller.settings.settings import Settings
from dumpers.runtime import log

_log = logging.getLogger(__name__)
# How often a replica that stands by looks whether it is to stop.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Who is told of each pass."""

    health: Health
    metrics: Metrics
    page: StatusPage
    notifier: Notifier


def run_forever(
    kube: Kube, settings: Settings, stopping: Event, reports: Reports, leadership: Leadership
) -> None:
    """Run one pass at start and one after each pause while leading, until `stopping` is set."""
    health = reports.health
    _tune_garbage_collection()
    state = PassState()
    _log.info("started", extra=log.fields(watch=settings.watch_namespaces))
    last_pass_ended = True

    def is_over() -> bool:
        return stopping.is_set() or not leadership.leads()

    while not stopping.is_set():
        if not leadership.leads():
            # Another replica may write now: nothing that is remembered holds any more.
            state = PassState()
            reports.metrics.forget()
            reports.page.forget()
            reports.notifier.forget()
            _stand_by(leadership, stopping, health)
            last_pass_ended = True
            continue
        # After a pass that a fault of ours cut short, only a whole pass is a sign of life.
        progress = health.beat if last_pass_ended else _no_sign_of_life
        changed: list[Transition] = []
        try:
            result = run_pass(
                kube,
                settings,
                state,
                stopping=is_over,
                progress=progress,
                tell=partial(_tell, changed),
            )
            if not is_over():
                health.end_pass()
                reports.metrics.update(result, state.status.status.rows or {}, time.time())
                reports.page.update(state.findings, result.running)
                changed += reports.notifier.look(result, time.time())
            # The result holds every object of the pass; the next pass makes its own.
            del result
            last_pass_ended = True
        except Exception:  # noqa: BLE001  the next pass starts afresh; if none ends, /healthz says so
            _log.exception("pass failed")
            last_pass_ended = False
        # Also of a pass that broke off: what it wrote is no news to the next one.
        reports.notifier.tell(changed)
        stopping.wait(settings.poll_interval)
    _log.info("stopped")


def _stand_by(leadership: Leadership, stopping: Event, health: Health) -> None:
    """Wait until this replica leads, or is asked to stop."""
    _log.info("standing by")
    while not leadership.take_up(_LOOK_SECONDS):
        if stopping.is_set():
            return
        health.stand_by(is_ready=leadership.follows())
    health.stand_by(is_ready=False)
    _log.info("leading")


def _tell(changed: list[Transition], transition: Transition) -> None:
    """Log what changed at once, and keep it for the notifications, which are of a whole pass."""
    log_transition(transition)
    changed.append(transition)


def _tune_garbage_collection() -> None:
    """Collect rarely: a pass makes a million objects, none of which are in a cycle."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _no_sign_of_life() -> None:
    """Stand in for `Health.beat` where progress must not count."""
