import signal
import sys
from threading import Event

import click

from controller.cli.common import connect, load
from controller.loop.pass_state import PassState
from controller.loop.reconcile import run as run_pass
from controller.loop.runner import run_forever
from dumpers.runtime import log


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
        result = run_pass(api, settings, PassState(), stopping=stopping.is_set)
        sys.exit(0 if result.succeeded or result.stopped else 1)
    run_forever(api, settings, stopping)
