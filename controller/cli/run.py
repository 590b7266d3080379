import gc
import logging
import signal
import sys
import time
from threading import Event

import click

from controller.cli.settings import connect, load
from controller.health import Health, serve
from controller.kube.client import Kube
from controller.metrics import Metrics
from controller.reading import Memory
from controller.reconcile import run as run_pass
from controller.settings.settings import Settings
from dumpers import log

_log = logging.getLogger(__name__)


@click.command()
@click.option("--once", is_flag=True, help="One pass, then exit: 0 if all of it succeeded.")
def run(once: bool) -> None:  # noqa: FBT001  click gives it by name
    """Reconcile: one pass at start, then one after each pause."""
    log.configure()
    settings = load()
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    api = connect(settings, stopping)
    if once:
        result = run_pass(api, settings, Memory(), stopping=stopping.is_set)
        sys.exit(0 if result.succeeded or result.stopped else 1)
    _forever(api, settings, stopping)


def _forever(api: Kube, settings: Settings, stopping: Event) -> None:
    # A pass makes a million objects without a cycle, which need no looking through again and again.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    health, metrics, memory = Health(settings), Metrics(), Memory()
    server = serve(settings.http_port, health, metrics.text)
    _log.info("started", extra=log.fields(watch=settings.watch_namespaces))
    progress = health.beat
    while not stopping.is_set():
        try:
            result = run_pass(api, settings, memory, stopping=stopping.is_set, progress=progress)
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
