"""`ksnapshot report`: what somebody needs who is to find out what went wrong, in one file."""

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import find
from controller.client.diagnosis import archive
from controller.client.diagnosis.parts import Reading
from controller.client.terminal.errors import VerbCommand
from controller.client.terminal.output import note, utc
from controller.kube.client import KubeError
from dumpers.runtime.version import VERSION


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.zip",
    help="Where to; by default ksnapshot-report-<time>.zip in this folder.",
)
@click.option("--no-doctor", is_flag=True, help="Do not run the doctor on WORKLOAD.")
@connected
def report(connection: Connection, **given: Any) -> None:
    """Write a ZIP for a bug report, with every secret taken out.

    What your rights do not let you read is left out, and named.
    """
    now = datetime.now(UTC)
    target = given["target"] or Path(f"ksnapshot-report-{now:%Y%m%dT%H%M%SZ}.zip")
    workload = None
    if given["workload"]:
        workload = find(connection, given["workload"], given["namespace"])
        if not given["no_doctor"]:
            note(f"trying each link of {workload.key}")
    reading = Reading(connection=connection, workload=workload, with_doctor=not given["no_doctor"])
    found = archive.gather(reading.parts())
    about = _about(connection, now) | {"workload": workload.key if workload else None}
    archive.write(target, archive.redacted(found, about))
    for item in found.missing:
        note(f"missing: {item.file}: {item.why}")
    click.echo(f"written to {target}: look through it before you send it")


def _about(connection: Connection, now: datetime) -> dict[str, Any]:
    """Versions of all that takes part."""
    install = connection.install
    return {
        "version": 1,
        "written": utc(now),
        "command": VERSION,
        "python": sys.version.split()[0],
        "system": platform.platform(),
        "kubernetes": _server(connection),
        "controller": install.to_document(),
    }


def _server(connection: Connection) -> Mapping[str, Any] | None:
    try:
        return connection.kubectl.get_raw("/version")
    except KubeError:
        return None
