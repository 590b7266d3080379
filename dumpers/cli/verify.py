import os

import click

from dumpers.cli import process
from dumpers.cli.clock import now
from dumpers.contract.names import BACKUP
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.result import VerifyResult
from dumpers.runs.verify.one import verify_backup
from dumpers.runs.verify.scheduled import verify_on_schedule


@click.command()
def verify() -> None:
    """Read a backup back, or those whose turn it is, and record whether they are as stored."""
    if os.environ.get(BACKUP):
        process.run_to_end("verify", _verify_one, failed=BackupResult)
    process.run_to_end("verify", _verify_on_schedule, failed=VerifyResult)


def _verify_one() -> BackupResult:
    job = VerifyJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="verification")
    return verify_backup(job, interrupt=interrupt, now=now)


def _verify_on_schedule() -> VerifyResult:
    job = VerifyJob.from_env(os.environ)
    interrupt = process.interrupt_by_signals(job.deadline, work="verification")
    return verify_on_schedule(job, interrupt=interrupt, now=now)
