"""`ksnapshot logs`: the log of a run."""

import sys

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import read_known
from controller.client.jobs.follow import JobRef, pods_of
from controller.client.jobs.following import follow_on_screen
from controller.client.jobs.log_lines import describe_line, parse_line
from controller.client.jobs.of_workload import (
    cronjob_of,
    is_a_run,
    is_of_ours,
    jobs_of,
)
from controller.client.jobs.progress import newest_pod, state_of
from controller.client.status.past_run import recorded_jobs
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import note
from controller.kube.client import JOBS, NotFoundError
from controller.model.names import CONTAINER
from controller.model.objects import Json, name_of, uid_of
from controller.runs.job_status import end_of


@click.command(cls=VerbCommand)
@click.argument("workload", required=False, shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@click.option("--job", default="", metavar="JOB", help="That of this Job, not the newest one's.")
@click.option("--container", "-c", default=CONTAINER, metavar="NAME", show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@click.option("--raw", is_flag=True, help="The lines as they are, which are JSON.")
@connected
def logs(
    connection: Connection,
    *,
    workload: str | None,
    namespace: str,
    job: str,
    container: str,
    follow: bool,
    raw: bool,
) -> None:
    """Show the log of WORKLOAD's newest run, or of one Job.

    Lines are for people on a terminal, else JSON as the dumper wrote them.
    """
    if bool(workload) == bool(job):
        raise click.UsageError("name a workload, or a Job by --job")
    control = connection.install.namespace
    found = _job(connection, job) if job else _newest(connection, str(workload), namespace)
    if follow and end_of(found) is None:
        ref = JobRef(
            namespace=control,
            name=name_of(found),
            uid=uid_of(found),
            containers=(container,),
            result_container=container,
        )
        end = follow_on_screen(connection, ref)
        note(f"{ref.name}: {end.outcome.name.lower()}")
        return
    pod = newest_pod(pods_of(connection.kubectl, control, name_of(found)))
    if pod is None:
        raise CommandError(
            f"the Job {name_of(found)} has no pod any more: `ksnapshot status WORKLOAD` shows how"
            " its last run ended",
            Exit.NOT_FOUND,
        )
    if not state_of(pod, container):
        raise CommandError(
            f"the pod {name_of(pod)} has no container {container} that has begun", Exit.NOT_FOUND
        )
    for line in connection.kubectl.logs(control, name_of(pod), container):
        plain = raw or not sys.stdout.isatty()
        click.echo(line if plain else describe_line(parse_line(line)))


def _job(connection: Connection, name: str) -> Json:
    """Read one Job; raises CommandError where it is none of ours."""
    found = connection.kubectl.get(JOBS, connection.install.namespace, name)
    if not is_of_ours(found):
        raise CommandError(f"the Job {name} is none of ksnapshot's", Exit.REFUSED)
    return found


def _newest(connection: Connection, text: str, namespace: str) -> Json:
    """Find the newest Job of a workload, without reading those of all others."""
    known = read_known(connection, with_jobs=True)
    workload = known.find(text, namespace)
    cronjob = cronjob_of(workload)
    candidates = [*filter(is_a_run, jobs_of(cronjob, known.jobs or ()))]
    # Those that succeeded are not among them, but the CronJob records the last of them.
    for name in recorded_jobs(cronjob) - {name_of(item) for item in candidates}:
        try:
            candidates.append(connection.kubectl.get(JOBS, connection.install.namespace, name))
        except NotFoundError:
            continue
    newest = next(iter(jobs_of(cronjob, candidates)), None)
    if newest is None:
        raise CommandError(f"{workload.key} has no run whose Job is still there", Exit.NOT_FOUND)
    return newest
