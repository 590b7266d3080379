"""The command line of the dumper images: without a verb it dumps, as the CronJobs rely on."""

import importlib

import click

from dumpers.cli import process
from dumpers.runtime.version import VERSION

# Where the command of each verb is: a module below this folder, and a name in it.
_VERBS = {
    "accept": ("retention.accept", "accept"),
    "check": ("check", "check"),
    "copy": ("copy", "copy"),
    "delete": ("retention.delete", "delete"),
    "drill": ("drilling.drill", "drill"),
    "dump": ("dump", "dump"),
    "forget": ("restoring.after_restore", "forget"),
    "headers": ("restoring.headers", "headers"),
    "list": ("list", "list_backups"),
    "load": ("restoring.load", "load"),
    "pin": ("retention.pin", "pin"),
    "presign": ("fetch", "presign"),
    "prove": ("prove", "prove"),
    "prune": ("retention.prune", "prune"),
    "rehearse": ("drilling.rehearse", "rehearse"),
    "restore": ("restoring.restore", "restore"),
    "send": ("fetch", "send"),
    "undo": ("restoring.after_restore", "undo"),
    "unpin": ("retention.pin", "unpin"),
    "verify": ("verify", "verify"),
}


class _Verbs(click.Group):
    """Loads a verb's modules when it is used: a job starts sooner without those of all others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click gives it
        return list(_VERBS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click gives it
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, name = _VERBS[cmd_name]
        found = getattr(importlib.import_module(f"dumpers.cli.{module}"), name)
        return found if isinstance(found, click.Command) else click.command()(found)


@click.group(
    cls=_Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name="ksnapshot dumper")
@click.pass_context
def main(context: click.Context) -> None:
    """Dump a database to S3, or restore it, as the environment says.

    \b
    Exit codes: 0 done · 2 configuration · 10 database failed, may heal ·
    11 store failed, may heal · 12 encryption · 13 restore's target failed,
    may heal · 14 interrupted · 20 database refuses for good · 21 store
    refuses for good, or a backup is damaged · 23 restore's target refuses,
    or a drill finds that a backup does not load or holds something else.
    """  # noqa: D301  \b is click's own mark
    process.configure_log()
    if context.invoked_subcommand is None:
        dump = main.get_command(context, "dump")
        assert dump is not None
        context.invoke(dump)
