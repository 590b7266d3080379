"""`ksnapshot cancel`: stops a run."""

from datetime import UTC, datetime

import click

from controller.client.cluster.completion import complete_workloads
from controller.client.cluster.connection import Connection, connected
from controller.client.cluster.known import Known, read_known
from controller.client.jobs.follow import pods_of
from controller.client.jobs.of_workload import (
    describe_job,
    is_of_ours,
    jobs_of,
    reads_by_schedule,
    unfinished,
)
from controller.client.jobs.progress import newest_pod, state_of
from controller.client.restore.after import FORGET, UNDO
from controller.client.restore.shown import outcome_lines, why_of
from controller.client.restore.stopping import stop_and_hear
from controller.client.terminal.errors import CommandError, Exit, VerbCommand
from controller.client.terminal.output import note
from controller.kube.client import JOBS, NotFoundError
from controller.manifests.restore_job import RESTORE
from controller.model.names import COMPONENT_LABEL, CONTAINER
from controller.model.objects import Json, labels_of, name_of, uid_of

# The Jobs that write into a database.
_WRITING = {RESTORE, UNDO, FORGET}
_UNHEARD = (
    "what the target holds now is not known: it did not say so in time, or you may not read its "
    "log; look before you restore again"
)


@click.command(cls=VerbCommand)
@click.argument("target", metavar="WORKLOAD|JOB", shell_complete=complete_workloads)
@click.option("--namespace", "-n", default="", metavar="NS", help="Namespace of the workload.")
@connected
def cancel(connection: Connection, *, target: str, namespace: str) -> None:
    """Stop the run of a workload, or the Job of this name.

    The run is told to stop, and has half a minute to clean up behind itself. Nothing that was
    stored whole before is touched. Of a restore it says what the target holds then.
    """
    known = read_known(connection, with_jobs=True)
    job = _job_named(known, target) or _job_of(known, target, namespace)
    what = describe_job(job, datetime.now(UTC))
    control = connection.install.namespace

    def stop() -> None:
        try:
            connection.kubectl.delete(JOBS, control, name_of(job), uid=uid_of(job))
        except NotFoundError:
            raise CommandError(f"{name_of(job)} ended meanwhile", Exit.NOT_FOUND) from None

    if labels_of(job).get(COMPONENT_LABEL) not in _WRITING:
        stop()
        click.echo(f"stopped {name_of(job)}, {what}")
        return
    pod = newest_pod(pods_of(connection.kubectl, control, name_of(job)))
    if pod is None or not state_of(pod, CONTAINER):
        stop()
        click.echo(f"stopped {name_of(job)}, {what}: it had not begun, the target is as it was")
        return
    note(f"stopping {name_of(job)}: waiting for what it says of the target")
    result = stop_and_hear(
        lambda: connection.kubectl.logs(control, name_of(pod), CONTAINER, follow=True, tail=1), stop
    )
    if result and result.succeeded:
        click.echo(f"{name_of(job)}, {what}, was done before it could be stopped:")
        for line in outcome_lines(result):
            click.echo(line)
        return
    click.echo(f"stopped {name_of(job)}, {what}")
    click.echo(why_of(result) or _UNHEARD)


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
    workload = known.find(text, namespace)
    # A verification by schedule keeps no run waiting: it is cancelled by its Job's name.
    others = [job for job in known.jobs or () if not reads_by_schedule(job)]
    active = unfinished(jobs_of(workload.cronjob, others)) if workload.cronjob else []
    if not active:
        raise CommandError(f"no run of {workload.key} is active", Exit.NOT_FOUND)
    if len(active) > 1:
        listed = ", ".join(map(name_of, active))
        raise CommandError(
            f"several runs of {workload.key} are active: name one of {listed}", Exit.USAGE
        )
    return active[0]
