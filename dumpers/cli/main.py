"""The command line of the dumper images: without a verb it dumps, as the CronJobs rely on."""

import logging
import os

import click

from dumpers.cli.after_restore import forget, undo
from dumpers.cli.check import check
from dumpers.cli.dump import dump
from dumpers.cli.fetch import presign, send
from dumpers.cli.headers import headers
from dumpers.cli.list import list_backups
from dumpers.cli.load import load
from dumpers.cli.pin import pin, unpin
from dumpers.cli.restore import restore
from dumpers.cli.verify import verify
from dumpers.contract.names import LOG_LEVEL
from dumpers.runtime.log import LogLevel, configure, fields
from dumpers.runtime.version import VERSION

_LOG = logging.getLogger(__name__)


def _configure_log(level: str) -> None:
    """Log from this level on; a word that is none keeps no run from its work."""
    is_known = level in set(LogLevel)
    configure(level=LogLevel(level) if is_known else LogLevel.INFO)
    if level and not is_known:
        _LOG.warning("log level not known", extra=fields(variable=LOG_LEVEL, known=[*LogLevel]))


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="ksnapshot dumper")
@click.pass_context
def main(context: click.Context) -> None:
    """Dump a database to S3, or restore it, as the environment says.

    \b
    Exit codes: 0 done · 2 configuration · 10 database failed, may heal ·
    11 store failed, may heal · 12 encryption · 13 restore's target failed,
    may heal · 14 interrupted · 20 database refuses for good · 21 store
    refuses for good, or a backup is damaged · 23 restore's target refuses.
    """  # noqa: D301  \b is click's own mark
    _configure_log(os.environ.get(LOG_LEVEL, ""))
    if context.invoked_subcommand is None:
        context.invoke(dump)


for command in (
    *(check, dump, forget, headers, list_backups, load, pin, presign, restore, send, undo, unpin),
    verify,
):
    main.add_command(command)
