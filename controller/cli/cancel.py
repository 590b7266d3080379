"""`ksnapshot cancel`: stops a run."""

from datetime import UTC, datetime

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import Known, read_known
from controller.client.cluster.workload_names import find_workload
from controller.client.jobs.of_workload import describe_job, is_of_ours, jobs_of, unfinished
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.kube.client import JOBS, NotFoundError
from controller.model.objects import Json, name_of, uid_of


@click.command(cls=VerbCommand)
@click.argument("target", metavar="WORKLOAD|JOB", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@connected
def cancel(connection: Connection, *, target: str, namespace: str) -> None:
    """Stop the run of a workload, or the Job of this name.

    The run is told to stop, and has half a minute to clean up behind itself. Nothing that was
    stored whole before is touched.
    """
    known = read_known(connection, with_jobs=True)
    job = _job_named(known, target) or _job_of(known, target, namespace)
    what = describe_job(job, datetime.now(UTC))
    try:
        connection.kubectl.delete(JOBS, connection.install.namespace, name_of(job), uid=uid_of(job))
    except NotFoundError:
        raise CommandError(f"{name_of(job)} ended meanwhile", Exit.NOT_FOUND) from None
    click.echo(f"stopped {name_of(job)}, {what}")


def _job_named(known: Known, name: str) -> Json | None:
    """Find a Job by its name; raises CommandError where it has ended, or is none of ours."""
    job = next((item for item in known.jobs or () if name_of(item) == name), None)
    if job is None:
        return None
    if not is_of_ours(job):
        raise CommandError(f"the Job {name} is none of ksnapshot's", Exit.REFUSED)
    if not unfinished([job]):
        raise CommandError(f"the Job {name} has ended already", Exit.NOT_FOUND)
    return job


def _job_of(known: Known, text: str, namespace: str) -> Json:
    workload = find_workload(text, namespace, known.workloads)
    active = unfinished(jobs_of(workload.cronjob, known.jobs or ())) if workload.cronjob else []
    if not active:
        raise CommandError(f"no run of {workload.key} is active", Exit.NOT_FOUND)
    if len(active) > 1:
        listed = ", ".join(map(name_of, active))
        raise CommandError(
            f"several runs of {workload.key} are active: name one of {listed}", Exit.USAGE
        )
    return active[0]
