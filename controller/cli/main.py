"""The command line: the operator itself, and the verbs of its users, one module per verb."""

import click

from controller.cli.verb_group import Verb, VerbGroup
from dumpers.runtime.version import VERSION

_CONTROLLER = ("croniter", "kubernetes", "msgspec", "prometheus_client", "tenacity", "yaml")
VERBS = {
    "status": Verb(
        place="controller.cli.status:status",
        help="Show every workload's state, its last backup and its next one.",
    ),
    "backup": Verb(
        place="controller.cli.backup:backup",
        help="Back WORKLOAD up now, beside its schedule.",
    ),
    "restore": Verb(
        place="controller.cli.restore:restore",
        help="Restore a backup of WORKLOAD: beside, over, or in the place of what is there.",
    ),
    "logs": Verb(
        place="controller.cli.logs:logs",
        help="Show the log of WORKLOAD's newest run, or of one Job.",
    ),
    "cancel": Verb(
        place="controller.cli.cancel:cancel",
        help="Stop the run of a workload, or the Job of this name.",
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
