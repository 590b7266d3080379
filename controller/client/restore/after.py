"""`ksnapshot restore --undo` and `--forget`: what an earlier restore left, found by its Job."""

import json
from collections.abc import Iterable, Mapping
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
from controller.manifests.verb_job import VerbJob, reader_account
from controller.model import names
from controller.model.names import CONTAINER
from controller.model.objects import Json, labels_of, metadata, name_of
from controller.runs.job_status import end_of, ended_at, is_complete
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.registry import find as find_engine

UNDO, FORGET = "undo", "forget"
# An undo stays as long as the restore that it is of: by it, a later --forget knows what is live.
_HOUR, _DAY, _WEEK = 3600, 86_400, 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a restore left: pairs of a live name and the name that is kept, to exchange back.

    `names` are those that can be dropped without touching what is live.
    """

    job: Json
    kept: tuple[tuple[str, str], ...]
    names: tuple[str, ...]


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
        name=new_job_name(verb, workload.key),
        verb=verb,
        deadline=_HOUR,
        keep=_WEEK if verb == UNDO else _DAY,
        env=what,
        account=reader_account(connection.install.settings),
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


def what_is_left(
    job: Json, result: RestoreResult, engine: EngineSpec, *, is_undone: bool = False
) -> Left:
    """What a restore left, by what it was asked and what it said.

    With `is_undone` its swap was taken back. One that failed may have left what it loaded beside.
    """
    kept = result.kept if result.succeeded else ()
    request = _request_of(job)
    droppable = tuple(name for _, name in kept)
    if request is not None and request.mode is RestoreMode.BESIDE:
        droppable = tuple(now for was, now in result.restored if now != was)
    elif (
        request is not None
        and request.mode is RestoreMode.SWAP
        and engine.swaps_aliases
        and (is_undone or not result.succeeded)
    ):
        given = request.names or {}
        # What had nothing to change places with was loaded under its last name, and is live.
        droppable = tuple(now for was, now in result.restored if now != given.get(was, was))
    return Left(job=job, kept=kept, names=droppable)


def is_undone(restore: Json, undos: Iterable[Json]) -> bool:
    """Whether one of these Jobs took back what a restore put in place."""
    end = end_of(restore)
    return end is not None and any(
        (last := end_of(job)) is not None
        and is_complete(last)
        and str(metadata(job).get("creationTimestamp") or "") >= ended_at(restore, end)
        for job in undos
    )


def _find_left(connection: Connection, workload: Workload, verb: str) -> Left:
    engine = find_engine(workload.type)
    assert engine is not None
    jobs = _jobs_after(connection, workload)
    undos = [job for job in jobs if labels_of(job).get(names.COMPONENT_LABEL) == UNDO]
    for job in jobs:
        if job in undos or _variable(job, variables.PLAN_ONLY):
            continue
        result = _result(connection, job)
        if result is None or not (result.succeeded or verb == FORGET):
            continue
        left = what_is_left(job, result, engine, is_undone=is_undone(job, undos))
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


def _jobs_after(connection: Connection, workload: Workload) -> list[Json]:
    """The restores of a workload and what was taken back of them, newest first."""
    chosen = f"{names.COMPONENT_LABEL} in ({RESTORE},{UNDO})"
    selector = f"{names.PART_OF_LABEL}={names.PART_OF},{chosen}"
    listed = connection.kubectl.list(JOBS, connection.install.namespace, selector)
    return jobs_of(cronjob_of(workload), listed)


def _result(connection: Connection, job: Json) -> RestoreResult | None:
    """What a restore said at its end; None where it has not ended, or its pod is gone."""
    pod = newest_pod(pods_of(connection.kubectl, connection.install.namespace, name_of(job)))
    ended = state_of(pod, CONTAINER).get("terminated") if pod else None
    message = str((ended or {}).get("message") or "")
    return read_result(message, RestoreResult.from_json)


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
