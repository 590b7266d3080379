"""`ksnapshot restore --undo` and `--forget`: what an earlier restore left, found by its Job."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import Workload, find_workload
from controller.client.jobs.asked import create_held_job, new_job_name, refuse_beside_running
from controller.client.jobs.follow import JobRef, pods_of
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.of_workload import cronjob_of, jobs_of
from controller.client.jobs.progress import Outcome, newest_pod, state_of
from controller.client.jobs.results import read_result, words_of_failure
from controller.client.terminal.ask import confirm
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import note
from controller.kube.client import JOBS
from controller.manifests.restore_job import RESTORE, Target, build_client_job
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.names import CONTAINER
from controller.model.objects import Json, name_of
from dumpers.contract import names as variables
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.registry import find as find_engine

UNDO, FORGET = "undo", "forget"
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a restore left: pairs of a live name and the name that is kept, and names beside."""

    job: Json
    kept: tuple[tuple[str, str], ...]
    beside: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that can be dropped without touching what is live."""
        return (*(name for _, name in self.kept), *self.beside)


def finish_restore(connection: Connection, verb: str, options: Mapping[str, Any]) -> None:
    """Undo or forget the last restore of a workload that left something."""
    known = read_known(connection, with_jobs=True)
    workload = find_workload(options["workload"], options["namespace"], known.workloads)
    cronjob = cronjob_of(workload)
    left = _find_left(connection, workload, verb)
    _confirm(left, verb, asked=not options["yes"])
    engine = find_engine(workload.type)
    assert engine is not None
    what = (
        {variables.UNDO: json.dumps(left.kept)}
        if verb == UNDO
        else {variables.FORGET: json.dumps(left.names)}
    )
    wanted = VerbJob(
        name=new_job_name(verb, workload.key), verb=verb, deadline=_HOUR, keep=_DAY, env=what
    )
    if verb == UNDO:
        refuse_beside_running(known.jobs or (), cronjob, RESTORE)
    body = build_client_job(engine, Target(cronjob=cronjob), wanted)
    job = create_held_job(connection.kubectl, body, held=cronjob if verb == UNDO else None)
    note(f"started {name_of(job)}")
    ref = JobRef.of(job)
    end = follow_on_screen(connection, ref)
    result = read_result(end.message, RestoreResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, f"the {verb} of {workload.key}", words_of_failure(result))
    for action in result.actions if result else ():
        click.echo(action)


def what_is_left(job: Json, result: RestoreResult) -> Left:
    """What a restore that succeeded left, by what it was asked and what it said."""
    request = _request_of(job)
    beside = request is not None and request.mode is RestoreMode.BESIDE
    return Left(
        job=job,
        kept=result.kept,
        # Only a restore beside made these; by any other mode they are what is live.
        beside=tuple(now for was, now in result.restored if now != was) if beside else (),
    )


def _find_left(connection: Connection, workload: Workload, verb: str) -> Left:
    for job, result in _restores(connection, workload):
        left = what_is_left(job, result)
        if left.kept if verb == UNDO else left.names:
            if result.left_out:
                raise CommandError(
                    f"the restore {name_of(job)} left more than its result has room for: see "
                    f"{result.record or 'its log'}, and rename or drop by hand",
                    Exit.REFUSED,
                )
            return left
    wanted = "was a --swap" if verb == UNDO else "left anything beside"
    raise CommandError(
        f"no restore of {workload.key} whose Job is still there {wanted}; Jobs stay for a week",
        Exit.NOT_FOUND,
    )


def _restores(connection: Connection, workload: Workload) -> Iterator[tuple[Json, RestoreResult]]:
    """The restores of a workload that succeeded, newest first, with their results."""
    selector = f"{names.PART_OF_LABEL}={names.PART_OF},{names.COMPONENT_LABEL}={RESTORE}"
    namespace = connection.install.namespace
    listed = connection.kubectl.list(JOBS, namespace, selector)
    for job in jobs_of(cronjob_of(workload), listed):
        if _variable(job, variables.PLAN_ONLY):
            continue
        pod = newest_pod(pods_of(connection.kubectl, namespace, name_of(job)))
        ended = state_of(pod, CONTAINER).get("terminated") if pod else None
        message = str((ended or {}).get("message") or "")
        result = read_result(message, RestoreResult.from_json)
        if result and result.succeeded:
            yield job, result


def _request_of(job: Json) -> RestoreRequest | None:
    """What a restore's Job was asked; None where it cannot be read."""
    try:
        return RestoreRequest.from_json(_variable(job, variables.RESTORE).replace("$$", "$"))
    except ValueError:
        return None


def _variable(job: Json, name: str) -> str:
    """The value of a variable of the Job's containers; empty without it."""
    return next(
        (
            str(item.get("value") or "")
            for container in job["spec"]["template"]["spec"]["containers"]
            for item in container.get("env") or ()
            if item["name"] == name
        ),
        "",
    )


def _confirm(left: Left, verb: str, *, asked: bool) -> None:
    if not asked:
        return
    listed = ", ".join(
        [f"{live} with {kept}" for live, kept in left.kept] if verb == UNDO else left.names
    )
    doing = "exchanges" if verb == UNDO else "drops"
    confirm(f"This {doing} {listed}. Go on?", otherwise="say --yes to do it")
