"""Pass after pass, until the process is told to stop."""

import gc
import logging
import time
from threading import Event

from controller.kube.client import Kube
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.report.http_server import Health, serve
from controller.report.metrics import Metrics
from controller.settings.settings import Settings
from dumpers.runtime import log

_log = logging.getLogger(__name__)


def run_forever(api: Kube, settings: Settings, stopping: Event) -> None:
    """Reconcile once at start, then after each pause; returns when `stopping` is set."""
    # A pass makes a million objects without a cycle, which need no looking through again and again.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    health, metrics, state = Health(settings), Metrics(), PassState()
    server = serve(settings.http_port, health, metrics.text)
    _log.info("started", extra=log.fields(watch=settings.watch_namespaces))
    progress = health.beat
    while not stopping.is_set():
        try:
            result = run_pass(api, settings, state, stopping=stopping.is_set, progress=progress)
            health.beat()
            progress = health.beat
            metrics.update(result, time.time())
            # It holds every object of the pass, of which the next one makes its own.
            del result
        except Exception:  # noqa: BLE001  the next pass starts afresh; if none ends, /healthz says so
            _log.exception("pass failed")
            # After a fault only a whole pass counts.
            progress = _ignore
        stopping.wait(settings.poll_interval)
    server.shutdown()
    _log.info("stopped")


def _ignore() -> None:
    """No sign of life."""
