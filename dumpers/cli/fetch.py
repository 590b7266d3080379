import os
import sys
from collections.abc import Iterator

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.fetch.jobs import FetchJob
from dumpers.contract.restore.result import BackupResult
from dumpers.runs.fetch.presign import presign as run_presign
from dumpers.runs.fetch.send import send as run_send


@click.command()
def presign() -> None:
    """Print URLs by which a backup can be read, encrypted for who asked."""
    process.run_to_end("presign", _presign, failed=BackupResult)


@click.command()
def send() -> None:
    """Send a backup's stored bytes to who asked, through a port-forward."""
    process.run_to_end("send", _send, failed=BackupResult)


def _presign() -> BackupResult:
    job = FetchJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.about.deadline, work="fetch")
    lines, result = run_presign(job, interrupt=interrupt, now=now)
    _print(lines)
    return result


def _send() -> BackupResult:
    job = FetchJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.about.deadline, work="fetch")
    return run_send(job, interrupt=interrupt, now=now, tell=_print)


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
