"""`ksnapshot restore`: one Job that loads a backup, where and how a person said."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from controller.cli.after_restore import FORGET, UNDO, finish_restore
from controller.cli.asked_jobs import (
    IDENTITY_KEY,
    create_held_job,
    new_job_name,
    refuse_beside_running,
)
from controller.cli.completion import complete_workloads
from controller.cli.connection import Connection, connected
from controller.cli.errors import CommandError, Exit, VerbCommand
from controller.cli.identity import read_identity
from controller.cli.jobs import cronjob_of
from controller.cli.known import Known, read_known
from controller.cli.output import output_option
from controller.cli.restore_options import Address, OptionError, login_of_keys, parse_secret_key
from controller.cli.restore_shown import finish
from controller.cli.restore_wanted import RestoreWanted, read_wanted
from controller.cli.workload_names import Workload, find_workload
from controller.kube.client import SECRETS
from controller.manifests.restore_job import (
    RESTORE,
    RestoreJob,
    SecretKey,
    Target,
    build_restore_job,
)
from controller.manifests.verb_job import VerbJob
from controller.model.objects import name_of
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restoring import RestoreMode
from dumpers.engines.registry import find as find_engine

_WEEK = 7 * 86_400
_REPLACING = {RestoreMode.OVERWRITE, RestoreMode.SWAP}


@click.command(cls=VerbCommand)
@click.argument("workload", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--backup", default="", metavar="ID", help="Which backup; the latest by default.")
@click.option(
    "--at",
    default="",
    metavar="TIME",
    help="The newest backup that began at this time or before it: '2026-01-31 03:00' (UTC),"
    " '5 minutes ago'.",
)
@click.option(
    "--to",
    default="",
    metavar="HOST:PORT/DB",
    help="Another place than the workload's own database; each part may be left out.",
)
@click.option("--to-workload", default="", metavar="NS/NAME", help="Another workload's database.")
@click.option(
    "--credentials-secret",
    default="",
    metavar="SECRET",
    help="A Secret of the control namespace with the login to restore with.",
)
@click.option(
    "--identity",
    "-i",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the private key; it goes into a Secret that lives as long as the Job.",
)
@click.option(
    "--identity-secret",
    default="",
    metavar="SECRET[/KEY]",
    help="A Secret of the control namespace with the private key.",
)
@click.option("--databases", multiple=True, metavar="NAMES", help="Only these databases.")
@click.option("--tables", multiple=True, metavar="NAMES", help="Only these tables, or indices.")
@click.option(
    "--partitions", default="", metavar="TEXT", help="Only these partitions: shop.orders: 202401."
)
@click.option("--as", "renamed", multiple=True, metavar="OLD:NEW", help="Under a new name.")
@click.option("--with-globals", is_flag=True, help="Roles, accounts and settings, too.")
@click.option("--beside", is_flag=True, help="Load under new names, beside what is there.")
@click.option("--overwrite", is_flag=True, help="Replace what is there, once the backup is loaded.")
@click.option("--swap", is_flag=True, help="Exchange with what is there; keep that for --undo.")
@click.option("--suffix", default="", metavar="TEXT", help="End of new names, else _restored.")
@click.option("--from-cluster", default="", metavar="NAME", help="A backup of another cluster.")
@click.option("--plan", is_flag=True, help="Check all, say what would happen, change nothing.")
@click.option("--undo", is_flag=True, help="Exchange back what the last --swap put in place.")
@click.option("--forget", is_flag=True, help="Drop what the last restore left beside, or kept.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before something is replaced.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@output_option
@click.option(
    "--deadline",
    default=_WEEK,
    show_default=True,
    type=click.IntRange(60),
    metavar="SECONDS",
    help="How long the restore may take.",
)
@connected
def restore(connection: Connection, **given: Any) -> None:
    """Restore a backup of a workload.

    Without a mode the target must hold nothing of it: nothing is ever replaced unasked.
    """
    if given["undo"] or given["forget"]:
        finish_restore(connection, UNDO if given["undo"] else FORGET, given)
        return
    try:
        wanted = read_wanted(given)
        known = read_known(connection, with_jobs=True)
        source = find_workload(given["workload"], given["namespace"], known.workloads)
        target = _target(connection, wanted, source, known)
        identity_secret = _identity_secret(connection, wanted)
    except OptionError as error:
        raise CommandError(str(error), Exit.USAGE) from error
    identity = read_identity(wanted.identity) if wanted.identity else ""
    name = new_job_name(RESTORE, source.key)
    # The Secret that is made of a file has the Job's name.
    own = SecretKey(secret=name, key=IDENTITY_KEY) if identity else None
    body = build_restore_job(
        cronjob_of(source),
        _engine(source),
        target,
        RestoreJob(
            backup=wanted.backup,
            request=wanted.request,
            identity=identity_secret or own,
            requested_by=connection.kubectl.whoami(),
            plan_only=wanted.plan,
        ),
        VerbJob(
            name=name,
            verb=RESTORE,
            deadline=given["deadline"],
            keep=_WEEK,
            env={variables.CLUSTER: wanted.from_cluster} if wanted.from_cluster else {},
        ),
    )
    if wanted.writes_in_place:
        refuse_beside_running(known.jobs or (), target.cronjob, RESTORE)
        if wanted.request.mode in _REPLACING and not given["yes"]:
            _confirm(wanted, target)
    # A dump of its CronJob would read what is half restored; of another place there is none.
    held = target.cronjob if wanted.writes_in_place and wanted.address == Address() else None
    made = create_held_job(connection.kubectl, body, identity=identity, held=held)
    finish(connection, made, source.key, given)


def _target(
    connection: Connection, wanted: RestoreWanted, source: Workload, known: Known
) -> Target:
    """Where to restore to; CommandError where that cannot be."""
    at = source
    if wanted.to_workload:
        at = find_workload(wanted.to_workload, "", known.workloads)
        if at.type != source.type:
            raise CommandError(
                f"{at.key} is a workload of type {at.type}, and the backup is of {source.type}",
                Exit.USAGE,
            )
    login = {}
    if secret := wanted.credentials_secret:
        login = dict(login_of_keys(secret, _keys(connection, secret), _engine(source)))
    address = wanted.address
    return Target(
        cronjob=cronjob_of(at),
        host=address.host,
        port=address.port,
        database=address.database,
        login=login,
    )


def _identity_secret(connection: Connection, wanted: RestoreWanted) -> SecretKey | None:
    if not wanted.identity_secret:
        return None
    secret = wanted.identity_secret.partition("/")[0]
    return parse_secret_key(wanted.identity_secret, _keys(connection, secret))


def _keys(connection: Connection, secret: str) -> Mapping[str, str]:
    """The keys of a Secret of the control namespace."""
    found = connection.kubectl.get(SECRETS, connection.install.namespace, secret)
    keys: Mapping[str, str] = found.get("data") or {}
    return keys


def _engine(workload: Workload) -> EngineSpec:
    engine = find_engine(workload.type)
    if engine is None:
        raise CommandError(f"this version knows no type {workload.type}: renew this command")
    return engine


def _confirm(wanted: RestoreWanted, target: Target) -> None:
    """Ask before something is replaced; CommandError where nobody can be asked."""
    what = {
        RestoreMode.OVERWRITE: "will be replaced and is gone then",
        RestoreMode.SWAP: "will be exchanged, and kept under another name",
    }[wanted.request.mode]
    where = wanted.address.database or "the database"
    try:
        click.confirm(f"What {where} of {name_of(target.cronjob)} holds {what}. Go on?", abort=True)
    except click.Abort as error:
        raise CommandError(
            "nothing was changed: say --yes to do it, or --plan to see what would happen",
            Exit.REFUSED,
        ) from error
