"""The command line of the controller: one module per verb."""

import click

from controller.cli import plan, run
from dumpers.runtime.version import VERSION


@click.group(invoke_without_command=True)
@click.version_option(VERSION, prog_name="ksnapshot")
@click.pass_context
def main(context: click.Context) -> None:
    """Back up annotated Kubernetes databases.

    `ksnapshot run` is the operator; every other verb asks or does something once.
    """
    if context.invoked_subcommand is None:
        # Not a default verb: on a laptop that would be an operator in the current context.
        click.echo(context.get_help())


main.add_command(run.run)
main.add_command(plan.plan)
