"""The command line: the operator itself, and the verbs of its users, one module per verb."""

import click

from controller.cli.verb_group import Verb, VerbGroup
from dumpers.runtime.version import VERSION

_CONTROLLER = ("kubernetes", "msgspec", "prometheus_client", "tenacity", "yaml")
VERBS = {
    "status": Verb(
        place="controller.cli.status:status",
        help="Show every workload's state, its last backup and its next one.",
    ),
    "backup": Verb(
        place="controller.cli.backup_verbs.backup:backup",
        help="Back WORKLOAD up now, beside its schedule.",
    ),
    "backups": Verb(
        place="controller.cli.backup_verbs.backups:backups",
        help="List the backups of WORKLOAD, or of every workload, the newest first.",
    ),
    "restore": Verb(
        place="controller.cli.backup_verbs.restore:restore",
        help="Restore a backup of WORKLOAD, or with --all those of a namespace.",
    ),
    "fetch": Verb(
        place="controller.cli.backup_verbs.fetch:fetch",
        help="Download a backup of WORKLOAD, prove it, and decrypt it on this machine.",
    ),
    "keys": Verb(
        place="controller.cli.backup_verbs.keys:keys",
        help="Show which workloads' newest backups a private key opens.",
    ),
    "verify": Verb(
        place="controller.cli.backup_verbs.verify:verify",
        help="Read a backup of WORKLOAD back from the store, and compare it with its manifest.",
    ),
    "drill": Verb(
        place="controller.cli.backup_verbs.drill:drill",
        help="Restore a backup of WORKLOAD into a throwaway server, and compare it with what was "
        "dumped.",
    ),
    "copy": Verb(
        place="controller.cli.backup_verbs.copy:copy",
        help="Copy a backup of WORKLOAD to another storage, as it is stored.",
    ),
    "pin": Verb(
        place="controller.cli.retention_verbs.pin:pin",
        help="Keep a backup of WORKLOAD for good, in every storage that it is in.",
    ),
    "unpin": Verb(
        place="controller.cli.retention_verbs.pin:unpin",
        help="Let a pinned backup of WORKLOAD be pruned again, when its time comes.",
    ),
    "accept": Verb(
        place="controller.cli.retention_verbs.accept:accept",
        help="Say that the sizes of WORKLOAD's backups up to this one are right, however small.",
    ),
    "delete": Verb(
        place="controller.cli.retention_verbs.delete:delete",
        help="Delete backups of WORKLOAD for good, also of one that is no more.",
    ),
    "prune": Verb(
        place="controller.cli.retention_verbs.prune:prune",
        help="Judge all backups by their policies, and delete what is not to be kept.",
    ),
    "proof": Verb(
        place="controller.cli.backup_verbs.proof:proof",
        help="Say what was proved of the backups of WORKLOAD, or of all: when, how, and what not.",
    ),
    "logs": Verb(
        place="controller.cli.logs:logs",
        help="Show the log of WORKLOAD's newest run, or of one Job.",
    ),
    "cancel": Verb(
        place="controller.cli.cancel:cancel",
        help="Stop the run of a workload, or the Job of this name.",
    ),
    "doctor": Verb(
        place="controller.cli.doctor:doctor",
        help="Check every link of WORKLOAD's backups, and name the first that is broken.",
    ),
    "report": Verb(
        place="controller.cli.report:report",
        help="Write a ZIP for a bug report, with every secret taken out.",
    ),
    "plan": Verb(
        place="controller.cli.plan:plan",
        help="Show what a pass would do, and why, without doing it.",
        needs=_CONTROLLER,
    ),
    "run": Verb(
        place="controller.cli.run:run",
        help="Reconcile: one pass at start, then one after each pause.",
        needs=_CONTROLLER,
    ),
}


@click.group(cls=VerbGroup, verbs=VERBS, invoke_without_command=True)
@click.version_option(VERSION, prog_name="ksnapshot")
@click.pass_context
def main(context: click.Context) -> None:
    """Back up annotated Kubernetes databases, and restore them.

    `ksnapshot run` is the operator; every other verb asks or does something once, through kubectl
    and with your own rights.
    """
    if context.invoked_subcommand is None:
        # Not a default verb: on a laptop that would be an operator in the current context.
        click.echo(context.get_help())
