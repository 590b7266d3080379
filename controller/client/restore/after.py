"""`ksnapshot restore --undo` and `--forget`: what an earlier restore left, found by its Job."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.asked import create_held_job, new_job_name
from controller.client.jobs.beside import refuse_beside_running
from controller.client.jobs.follow import JobRef, pods_of
from controller.client.jobs.following import failure_of, follow_on_screen
from controller.client.jobs.of_workload import cronjob_of, jobs_of
from controller.client.jobs.progress import Outcome, newest_pod, state_of
from controller.client.jobs.results import read_result, result_of, words_of_failure
from controller.client.restore.left import Left, is_undone, what_is_left
from controller.client.terminal.ask import confirm
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import note
from controller.kube.client import JOBS
from controller.manifests.restore_job import RESTORE, Target, build_client_job, is_plan
from controller.manifests.storages.sources import reader_account
from controller.manifests.verb_job import VerbJob
from controller.model import names
from controller.model.names import CONTAINER
from controller.model.objects import Json, labels_of, name_of
from controller.runs.job_status import end_of
from dumpers.contract import names as variables
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.restore.result import RestoreResult
from dumpers.engines.names import abbreviate
from dumpers.engines.registry import find as find_engine

UNDO, FORGET = "undo", "forget"
# An undo stays as long as the restore that it is of: by it, a later --forget knows what is live.
_HOUR, _DAY, _WEEK = 3600, 86_400, 7 * 86_400


def finish_restore(connection: Connection, verb: str, options: Mapping[str, Any]) -> None:
    """Undo or forget the last restore of a workload that left something.

    Restores that failed, or were killed before they could say what they left, come first: of these
    the target itself is asked.
    """
    known = read_known(connection, with_jobs=True)
    workload = known.find(options["workload"], options["namespace"])
    engine = find_engine(workload.type)
    assert engine is not None
    failed, left = _find_left(connection, workload, engine, verb)
    if verb == UNDO or failed:
        refuse_beside_running(connection.kubectl, known.jobs or (), cronjob_of(workload), RESTORE)
    asked = not options["yes"]
    actions: tuple[str, ...] = ()
    if failed:
        jobs = [name_of(item.job) for item in failed]
        _confirm_unknown(jobs, verb, asked=asked)
        what = (
            {variables.UNDO_OF: json.dumps(jobs)}
            if verb == UNDO
            else {
                variables.FORGET_OF: json.dumps(jobs),
                variables.FORGET: json.dumps([name for item in failed for name in item.names]),
            }
        )
        actions = _run(connection, workload, engine, verb, what)
    if not actions and left is not None:
        _confirm(left, verb, asked=asked)
        what = (
            {variables.UNDO: json.dumps(left.kept)}
            if verb == UNDO
            else {variables.FORGET: json.dumps(left.names)}
        )
        actions = _run(connection, workload, engine, verb, what)
    if not actions:
        wanted = "was a --swap" if verb == UNDO else "left anything beside"
        raise CommandError(
            f"no restore of {workload.key} whose Job is still there {wanted}; Jobs stay for a week",
            Exit.NOT_FOUND,
        )
    for action in actions:
        click.echo(action)


def _run(
    connection: Connection, workload: Workload, engine: EngineSpec, verb: str, what: dict[str, str]
) -> tuple[str, ...]:
    """Run the verb's Job, and return what it has done."""
    cronjob = cronjob_of(workload)
    wanted = VerbJob(
        name=new_job_name(verb, workload.key),
        verb=verb,
        deadline=_HOUR,
        keep=_WEEK if verb == UNDO else _DAY,
        env=what,
        account=reader_account(connection.install.settings),
    )
    body = build_client_job(engine, Target(cronjob=cronjob), wanted)
    job = create_held_job(connection.kubectl, body, held=cronjob if verb == UNDO else None)
    note(f"started {name_of(job)}")
    ref = JobRef.of(job)
    end = follow_on_screen(connection, ref)
    result = result_of(end, RestoreResult.from_json)
    if end.outcome is not Outcome.SUCCEEDED:
        raise failure_of(ref, end, f"the {verb} of {workload.key}", words_of_failure(result))
    return result.actions if result else ()


def _find_left(
    connection: Connection, workload: Workload, engine: EngineSpec, verb: str
) -> tuple[list[Left], Left | None]:
    """The last restore that left something and said so, and those behind it that failed."""
    failed: list[Left] = []
    jobs = _jobs_after(connection, workload)
    undos = [job for job in jobs if labels_of(job).get(names.COMPONENT_LABEL) == UNDO]
    for job in jobs:
        if job in undos or is_plan(job):
            continue
        result = _result(connection, job)
        if not (result or end_of(job)):
            continue
        left = what_is_left(job, result, engine, is_undone=is_undone(job, undos))
        if result is None or not result.succeeded:
            # One that came to no plan has made nothing.
            if result is None or result.restored or result.target_partial:
                failed.append(left)
        elif left.kept if verb == UNDO else left.names:
            if result.left_out:
                raise CommandError(
                    f"the restore {name_of(job)} left more than its result has room for: see "
                    f"{result.record or 'its log'}, and rename or drop by hand",
                    Exit.REFUSED,
                )
            return failed, left
    return failed, None


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


def _confirm_unknown(jobs: Sequence[str], verb: str, *, asked: bool) -> None:
    if not asked:
        return
    which = abbreviate(jobs)
    doing = (
        f"takes back what the newest of {which} has swapped"
        if verb == UNDO
        else f"drops what {which} left beside, or kept"
    )
    confirm(f"These restores failed. This {doing}. Go on?", otherwise="say --yes to do it")


def _confirm(left: Left, verb: str, *, asked: bool) -> None:
    if not asked:
        return
    listed = ", ".join(
        [f"{live} with {kept}" for live, kept in left.kept] if verb == UNDO else left.names
    )
    doing = "exchanges" if verb == UNDO else "drops"
    confirm(f"This {doing} {listed}. Go on?", otherwise="say --yes to do it")
