import signal
import sys
from threading import Event
from typing import NoReturn

import click

from controller.cli.common import connect, load_settings
from controller.kube.client import CallCounts
from controller.loop.leader import Alone, Leader, Leadership, request_seconds
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.loop.runner import Reports, run_forever
from controller.report.http_server import Health, serve
from controller.report.metrics.metrics import Metrics
from controller.report.notifications.delivery import DeliveryCounts
from controller.report.notifications.notifier import start_notifier
from controller.report.page.server import serve_page
from controller.report.page.status_page import StatusPage
from controller.report.web_server import WebServer
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
    if once:
        kube = connect(settings, stopping)
        result = run_pass(kube, settings, PassState(), stopping=stopping.is_set)
        sys.exit(0 if result.succeeded or result.stopped else 1)
    leadership = _leadership(settings, calls)
    kube = connect(settings, stopping, counts=calls, write_limit=leadership.seconds_left)
    sent = DeliveryCounts()
    reports = Reports(
        health=Health(settings),
        metrics=Metrics(settings, calls, sent.counted, leadership.leads),
        page=StatusPage(settings),
        notifier=start_notifier(kube, settings, sent),
    )
    servers = _serve(settings, reports)
    leadership.start()
    run_forever(kube, settings, stopping, reports, leadership)
    leadership.release()
    # Only now: while messages are sent another replica acts already.
    reports.notifier.close()
    for server in servers:
        server.shutdown()


def _leadership(settings: Settings, calls: CallCounts) -> Leadership:
    """Prepare the election, if there is one, over a connection of its own.

    Nothing that a pass does may keep a renewal waiting, and the Lease is given back after passes
    were asked to stop. A request is made once: a wait before another one could be longer than a
    renewal counts, and the next round is soon.
    """
    if not settings.leader_election:
        return Alone()
    seconds = request_seconds(settings)
    kube = connect(settings, Event(), counts=calls, timeout=seconds, attempts=1)
    return Leader(kube, settings)


def _serve(settings: Settings, reports: Reports) -> list[WebServer]:
    """Start the HTTP servers; end the process with exit code 1 if a port cannot be opened."""
    try:
        metrics = reports.metrics.exposition
        servers = [serve(settings.http_port, reports.health, metrics)]
    except OSError as error:
        _refuse(f"port {settings.http_port} for probes and /metrics", error, "HTTP_PORT")
    if settings.status_page is None:
        return servers
    try:
        return [*servers, serve_page(settings.status_page, reports.page)]
    except OSError as error:
        _refuse(f"{settings.status_page} for the status page", error, "STATUS_PAGE_LISTEN")


def _refuse(what: str, error: OSError, env: str) -> NoReturn:
    record = next(setting for setting in SETTINGS if setting.env == env)
    none = ", or to none" if env == "STATUS_PAGE_LISTEN" else ""
    click.echo(
        f"error: {what} cannot be opened ({error.strerror}): free it, or set {record.env}"
        f" ({record.chart} in the chart) to another one{none}",
        err=True,
    )
    sys.exit(1)
