"""Looks at every link from the controller to the store, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.client.cluster.workload_names import Workload
from controller.client.jobs.asked import create_job, new_job_name
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import follow_lines
from controller.client.jobs.log_lines import parse_line
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.jobs.results import result_of
from controller.client.status.rows import FINE, Row, make_rows
from controller.manifests.verb_job import CHECK, VerbJob, build_check_job
from controller.model.fixes import RUN_FIXES, STATE_FIXES
from controller.model.objects import Json, name_of
from controller.model.status import Reason
from dumpers.contract.result import DumpResult

_SECONDS, _KEEP = 600, 3600
# What the Job tries, in this order, and what that proves.
_TRIED = {
    "encryption": "the recipients can be encrypted to",
    "database": "the database answers, lets the login in and may be read",
    "store": "the bucket takes what this job's keys write",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One link: what it is, whether it holds, what was seen, and what to do where it is broken."""

    link: str
    good: bool
    seen: str
    fix: str = ""

    def to_document(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return {"link": self.link, "good": self.good, "seen": self.seen, "fix": self.fix}


def examine(connection: Connection, text: str, namespace: str) -> Iterator[Finding]:
    """Look at one link of a workload after the other; whoever asks stops at the first broken one.

    The last ones are tried by a Job. Raises CommandError and KubeError where a look is not allowed.
    """
    yield _controller(connection)
    known = read_known(connection, with_jobs=True)
    workload = known.find(text, namespace)
    [row] = make_rows(
        [workload],
        known.jobs or (),
        datetime.now(UTC),
        is_state_known=not known.status.fault,
    )
    yield _workload(row, known.status.fault)
    assert workload.cronjob is not None
    yield _last_run(row)
    yield from _try(connection, workload, workload.cronjob)


def _controller(connection: Connection) -> Finding:
    install = connection.install
    seen = f"{install.namespace}/{install.name} {install.version}, {install.running} running"
    return Finding(
        link="controller",
        good=install.running > 0,
        seen=seen,
        fix=f"kubectl -n {install.namespace} describe deployment {install.name}",
    )


def _workload(row: Row, fault: str) -> Finding:
    """The workload as the controller sees it: owner, pods, annotations, Service, login.

    `fault` says why that is not known, empty where it is.
    """
    state = f"{row.state}{f' ({row.reason})' if row.reason else ''}"
    if fault:
        state = f"it has a CronJob, and no more is known: {fault}"
    return Finding(
        link="workload",
        # An overdue run is what comes of a broken link further on.
        good=row.workload.cronjob is not None and row.reason in {"", Reason.OVERDUE, *FINE},
        seen=f"{row.workload.key}: {state}{f': {row.message}' if row.message else ''}",
        fix=STATE_FIXES.get(row.reason, "see `ksnapshot status`"),
    )


def _last_run(row: Row) -> Finding:
    """The last run is told, and is no link: it may have failed for what is mended by now."""
    last = row.last_result
    if last is None:
        seen = "none yet"
    elif last.succeeded:
        lacking = ", ".join(item.name for item in last.lacking)
        seen = f"{last.job} {last.outcome}{f': not in {lacking}' if lacking else ''}"
    else:
        fix = RUN_FIXES.get(last.reason, "see its log")
        seen = f"{last.job} failed: {last.reason}: {last.message} (to do: {fix})"
    return Finding(link="last run", good=True, seen=seen)


def _try(connection: Connection, workload: Workload, cronjob: Json) -> Iterator[Finding]:
    """Try what a dump does before its first byte, in a Job like its own."""
    wanted = VerbJob(
        name=new_job_name(CHECK, workload.key), verb=CHECK, deadline=_SECONDS, keep=_KEEP
    )
    job = create_job(connection.kubectl, build_check_job(cronjob, wanted))
    passed: list[str] = []

    def read(text: str) -> None:
        line = parse_line(text)
        if line.message == "check passed":
            passed.append(str(line.fields.get("check")))

    end = follow_lines(connection, JobRef.of(job), read)
    if end.exit_code is None:
        why = ": ".join(filter(None, (end.reason, end.why))) or end.outcome.name.lower()
        fix = RUN_FIXES.get(end.reason, "see the Job's events")
        yield Finding(link="pod", good=False, seen=why, fix=fix)
        return
    yield Finding(link="pod", good=True, seen=f"{name_of(job)} began")
    yield from _tried(passed, end)


def _tried(passed: list[str], end: JobEnd) -> Iterator[Finding]:
    for link, what in _TRIED.items():
        if link in passed or end.outcome is Outcome.SUCCEEDED:
            yield Finding(link=link, good=True, seen=what)
            continue
        reason, message = _failure(end)
        fix = RUN_FIXES.get(reason, "see the Job's log")
        yield Finding(link=link, good=False, seen=f"{reason}: {message}", fix=fix)
        return


def _failure(end: JobEnd) -> tuple[str, str]:
    result = result_of(end, DumpResult.from_json)
    if result is None:
        return end.reason, end.why or f"exit code {end.exit_code}"
    return result.reason, result.message
