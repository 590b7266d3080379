"""The command line of the dumper images: without a verb it dumps, as the CronJobs rely on."""

import logging
import os
import secrets
import signal
import time
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from dumpers import __version__
from dumpers.contract.jobs import DumpJob
from dumpers.contract.names import DEFAULT_TERMINATION_LOG, TERMINATION_LOG
from dumpers.contract.result import DumpResult
from dumpers.engines.registry import ENGINES, load
from dumpers.runs import backup
from dumpers.runtime.errors import ExitCode, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import configure, fields

_LOG = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_RUN_ID_BYTES = 6
# What is left of the deadline when the dumper ends itself: enough to abort the upload in good
# order before Kubernetes kills the pod, a small part of a long deadline.
_MARGIN_SECONDS = 30.0
_MARGIN_SHARE = 0.1


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ksnapshot dumper")
@click.pass_context
def main(context: click.Context) -> None:
    """Dump a database to S3, as the environment says.

    \b
    Exit codes: 0 done · 2 configuration · 10 database failed, may heal ·
    11 store failed, may heal · 12 encryption · 14 interrupted ·
    20 database refuses for good · 21 store refuses for good.
    """  # noqa: D301  \b is click's own mark
    configure()
    if context.invoked_subcommand is None:
        context.invoke(dump)


@main.command()
def dump() -> None:
    """Make one backup (the default)."""
    began = time.monotonic()
    termination_log = os.environ.get(TERMINATION_LOG) or DEFAULT_TERMINATION_LOG
    try:
        result = _dump()
    except KsnapshotError as error:
        result = _failed(error.exit_code, error.reason, str(error), began)
    except Exception as error:  # noqa: BLE001  the edge: whatever it is becomes a result
        # A fault of ours. Its text could hold anything, so only its kind is shown to others.
        frames = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        _LOG.error("internal error", extra=fields(kind=type(error).__name__, where=frames))
        text = f"internal error ({type(error).__name__}): see the pod's log, and report it"
        result = _failed(ExitCode.INTERNAL, KsnapshotError.reason, text, began)
    _report(result, termination_log=Path(termination_log))
    raise SystemExit(result.exit_code)


def _dump() -> DumpResult:
    job = DumpJob.from_env(os.environ, ENGINES)
    interrupt = Interrupt(_time_allowed(job.deadline))
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: interrupt.trip(signal.Signals(number).name))
    # __main__ blocked them until somebody listens.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return backup.dump(
        job,
        engine=load(job.engine),
        started=datetime.now(UTC).replace(microsecond=0),
        run_id=secrets.token_hex(_RUN_ID_BYTES),
        interrupt=interrupt,
        now=lambda: datetime.now(UTC),
    )


def _time_allowed(deadline: int | None) -> float | None:
    if deadline is None:
        return None
    return deadline - min(_MARGIN_SECONDS, deadline * _MARGIN_SHARE)


def _failed(code: ExitCode, reason: str, message: str, began: float) -> DumpResult:
    return DumpResult(
        succeeded=False,
        exit_code=code,
        reason=reason,
        message=message,
        seconds=round(time.monotonic() - began, 3),
    )


def _report(result: DumpResult, *, termination_log: Path) -> None:
    level = logging.INFO if result.succeeded else logging.ERROR
    shown = {name: value for name, value in asdict(result).items() if value or name == "succeeded"}
    shown["error"] = shown.pop("message", "")
    _LOG.log(level, "dump done" if result.succeeded else "dump failed", extra=fields(**shown))
    try:
        termination_log.write_text(result.to_json(), encoding="utf-8")
    except OSError as error:
        _LOG.warning("no termination log", extra=fields(error=str(error)))
