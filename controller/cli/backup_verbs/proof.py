"""`ksnapshot proof`: what was proved of the backups, on one page, or as a signed document."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import Known, read_known
from controller.client.jobs.any_cronjob import any_cronjob
from controller.client.jobs.chosen_storages import any_option, elsewhere, in_chosen, in_defined
from controller.client.jobs.of_workload import cronjob_of
from controller.client.proof.asking import ask_for_proof
from controller.client.proof.page import proof_page
from controller.client.proof.shown import note_summary, note_without, write_summary
from controller.client.proof.summary import Summary
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from dumpers.contract import names as variables
from dumpers.contract.proof.envelope import SignedStatement
from dumpers.contract.proof.jobs import DEFAULT_SINCE
from dumpers.contract.storages.named_storage import MAIN
from dumpers.repository.retention.period import begin_of_period

_CRONJOB, _CLUSTER, _ = variables.LIST_SCOPES
_MOST_BYTES = 1 << 30


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Workloads of this namespace.")
@click.option(
    "--since",
    default=DEFAULT_SINCE,
    show_default=True,
    metavar="AGE",
    help="How far back: years, months, days, hours, such as 1y6m or 90d.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Show a document that `--output json` wrote before; no cluster is asked.",
)
@any_option
@click.option(
    "--output",
    "-o",
    type=click.Choice(("table", "html", "json")),
    default="table",
    show_default=True,
    help="A table, one page for an auditor, or the document itself (docs/proof.md).",
)
@connected
def proof(connection: Connection, **given: Any) -> None:
    """Say what was proved of the backups of WORKLOAD, or of all: when, how, and what not.

    A Job reads the records in the store, and signs what it found where the operator gave a key.
    The page and the table are made of that document alone.
    """
    if given["source"]:
        _check_alone(given)
        signed, known = _read(given["source"]), None
    else:
        _check_since(given["since"])
        known = read_known(connection)
        signed = _ask(connection, known, given)
    try:
        summary = Summary.of(signed.statement)
    except ValueError as error:
        raise CommandError(f"this is no proof that can be shown: {error}", Exit.USAGE) from error
    without = _without_records(known, summary, given) if known else None
    if given["output"] == "json":
        click.echo(signed.to_json(), nl=False)
        note_without(without)
        return
    if given["output"] == "html":
        click.echo(proof_page(signed, summary, without))
        return
    write_summary(summary, datetime.now(UTC))
    note_summary(signed, summary)
    note_without(without)


def _ask(connection: Connection, known: Known, given: Any) -> SignedStatement:
    found = known.find(given["workload"], given["namespace"]) if given["workload"] else None
    install = connection.install
    if found:
        cronjob = in_chosen(cronjob_of(found), given["storage"], install.settings)
    else:
        base = any_cronjob(install, known.cronjobs)
        cronjob = in_defined(base, given["storage"], install.settings)
    env = {
        variables.PROOF_SINCE: given["since"],
        variables.LIST_SCOPE: _CRONJOB if found else _CLUSTER,
    }
    if given["namespace"] and not found:
        env[variables.PROOF_NAMESPACE] = given["namespace"]
    key = found.key if found else f"{install.namespace}/{install.name}"
    return ask_for_proof(connection, cronjob, key, env)


def _check_since(text: str) -> None:
    try:
        begin_of_period(text, datetime.now(UTC))
    except ValueError as error:
        raise CommandError(f"--since {text[:40]!r}: {error}", Exit.USAGE) from error


def _check_alone(given: Any) -> None:
    """What a document says is fixed: nothing else can be chosen of it."""
    chosen = given["workload"] or given["namespace"] or given["storage"]
    if chosen or given["since"] != DEFAULT_SINCE:
        raise CommandError(
            "--from shows a document as it is: leave WORKLOAD, --namespace, --storage and --since"
            " out",
            Exit.USAGE,
        )


def _read(path: Path) -> SignedStatement:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CommandError(f"{path} is no proof: it is larger than 1 GiB", Exit.USAGE)
        return SignedStatement.from_json(path.read_bytes())
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", Exit.USAGE) from error
    except ValueError as error:
        raise CommandError(f"{path} is no proof: {error}", Exit.USAGE) from error


def _without_records(known: Known, summary: Summary, given: Any) -> list[str]:
    """The workloads of the install, of those that were asked for, of which no record is there."""
    recorded = {item.cronjob for item in summary.histories}
    # Of one workload its own storage is read.
    storage = given["storage"] or MAIN
    others = {} if given["workload"] else elsewhere(known.workloads, storage)
    return [
        f"{item.key} (its backups go to {others[item.key]})" if item.key in others else item.key
        for item in known.workloads
        if item.cronjob_name not in recorded
        and (not given["namespace"] or item.namespace == given["namespace"])
        and (not given["workload"] or given["workload"] in {item.key, item.name})
    ]
