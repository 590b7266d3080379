import signal
import sys
from http.server import ThreadingHTTPServer
from threading import Event

import click

from controller.cli.common import connect, load_settings
from controller.kube.client import CallCounts
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.loop.runner import run_forever
from controller.report.http_server import Health, serve
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.delivery import DeliveryCounts
from controller.report.notifications.notifier import start_notifier
from controller.settings.settings import SETTINGS, Settings
from dumpers.runtime import log
from dumpers.runtime.log import LogFormat, LogLevel


@click.command()
@click.option("--once", is_flag=True, help="One pass, then exit: 0 if all of it succeeded.")
@click.option(
    "--log-level",
    type=click.Choice([*map(str, LogLevel)]),
    help="Least important lines of the log; `debug` has every decision. [env: LOG_LEVEL]",
)
@click.option(
    "--log-format",
    type=click.Choice([*map(str, LogFormat)]),
    help="What a line looks like; `auto`: text on a terminal, else JSON. [env: LOG_FORMAT]",
)
def run(once: bool, log_level: str | None, log_format: str | None) -> None:  # noqa: FBT001  click gives it by name
    """Reconcile: one pass at start, then one after each pause."""
    settings = load_settings()
    log.configure(
        level=LogLevel(log_level or settings.log_level),
        form=LogFormat(log_format or settings.log_format),
    )
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    calls = CallCounts()
    kube = connect(settings, stopping, counts=calls)
    if once:
        result = run_pass(kube, settings, PassState(), stopping=stopping.is_set)
        sys.exit(0 if result.succeeded or result.stopped else 1)
    sent = DeliveryCounts()
    health, metrics = Health(settings), Metrics(settings, calls, sent.counted)
    server = _serve(settings, health, metrics)
    notifier = start_notifier(kube, settings, sent)
    run_forever(kube, settings, stopping, health, metrics, notifier=notifier)
    server.shutdown()


def _serve(settings: Settings, health: Health, metrics: Metrics) -> ThreadingHTTPServer:
    """Start the HTTP server; end the process with exit code 1 if the port cannot be opened."""
    try:
        return serve(settings.http_port, health, metrics.exposition)
    except OSError as error:
        record = next(setting for setting in SETTINGS if setting.env == "HTTP_PORT")
        click.echo(
            f"error: port {settings.http_port} for /healthz and /metrics cannot be opened"
            f" ({error.strerror}): free the port, or set {record.env} ({record.chart} in the"
            " chart) to another one",
            err=True,
        )
        sys.exit(1)
