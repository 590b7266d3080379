import signal
import sys
from http.server import ThreadingHTTPServer
from threading import Event

import click

from controller.cli.common import connect, load_settings
from controller.kube.client import CallCounts
from controller.loop.leader import Alone, Leader, Leadership, request_seconds
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.loop.runner import run_forever
from controller.report.http_server import Health, serve
from controller.report.metrics.metrics import Metrics
from controller.settings.settings import SETTINGS, Settings
from dumpers.runtime import log


@click.command()
@click.option("--once", is_flag=True, help="One pass, then exit: 0 if all of it succeeded.")
def run(once: bool) -> None:  # noqa: FBT001  click gives it by name
    """Reconcile: one pass at start, then one after each pause."""
    log.configure()
    settings = load_settings()
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    calls = CallCounts()
    if once:
        kube = connect(settings, stopping)
        result = run_pass(kube, settings, PassState(), stopping=stopping.is_set)
        sys.exit(0 if result.succeeded or result.stopped else 1)
    leadership = _leadership(settings, calls)
    kube = connect(settings, stopping, counts=calls, write_limit=leadership.seconds_left)
    health, metrics = Health(settings), Metrics(settings, calls, leadership.leads)
    server = _serve(settings, health, metrics)
    leadership.start()
    run_forever(kube, settings, stopping, health, metrics, leadership=leadership)
    leadership.release()
    server.shutdown()


def _leadership(settings: Settings, calls: CallCounts) -> Leadership:
    """Prepare the election, if there is one, over a connection of its own.

    Nothing that a pass does may keep a renewal waiting, and the Lease is given back after passes
    were asked to stop.
    """
    if not settings.leader_election:
        return Alone()
    seconds = request_seconds(settings)
    return Leader(connect(settings, Event(), counts=calls, timeout=seconds), settings)


def _serve(settings: Settings, health: Health, metrics: Metrics) -> ThreadingHTTPServer:
    """Start the HTTP server; end the process with exit code 1 if the port cannot be opened."""
    try:
        return serve(settings.http_port, health, metrics.exposition)
    except OSError as error:
        record = next(setting for setting in SETTINGS if setting.env == "HTTP_PORT")
        click.echo(
            f"error: port {settings.http_port} for probes and /metrics cannot be opened"
            f" ({error.strerror}): free the port, or set {record.env} ({record.chart} in the"
            " chart) to another one",
            err=True,
        )
        sys.exit(1)
