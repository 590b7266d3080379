"""Follows a Job on a terminal, for every verb that starts one or shows its log."""

from collections.abc import Callable

from controller.client.cluster.connection import Connection
from controller.client.jobs.follow import Follower, JobRef
from controller.client.jobs.log_lines import (
    describe_line,
    describe_progress,
    estimate_in,
    parse_line,
)
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.terminal.errors import CommandError, Exit
from controller.client.terminal.output import note
from controller.client.terminal.screen import Screen

# What a shell makes of a code above this is its own.
_MAX_CODE = 125


def follow_on_screen(
    connection: Connection, job: JobRef, *, expected_bytes: int | None = None
) -> JobEnd:
    """Follow a Job on stderr until it ends, and return how.

    `expected_bytes` is what the run probably reads, for an estimate of its end; without it, the
    run's own estimate counts. Ctrl-C leaves the Job alone, says how to go on, and ends the process
    with Exit.DETACHED.
    """
    screen, expected = Screen(), expected_bytes

    def show(container: str, text: str) -> None:
        nonlocal expected
        line = parse_line(text)
        if line.is_progress:
            screen.status(describe_progress(line, expected))
            return
        expected = expected or estimate_in(line)
        mark = f"[{container}] " if len(job.containers) > 1 else ""
        screen.line(f"{mark}{describe_line(line)}")

    try:
        return _follow(connection, job, screen, show)
    except KeyboardInterrupt:
        note(f"detached: {job.name} goes on")
        note(f"  follow it: {connection.command_line('logs', '--job', job.name, '--follow')}")
        note(f"  stop it:   {connection.command_line('cancel', job.name)}")
        raise SystemExit(int(Exit.DETACHED)) from None


def follow_lines(
    connection: Connection,
    job: JobRef,
    on_line: Callable[[str], None],
    *,
    screen: Screen | None = None,
) -> JobEnd:
    """Follow a Job whose log is not for people: `on_line` gets its lines; return how it ended.

    `screen` is where the caller shows what it makes of them.
    """
    return _follow(connection, job, screen or Screen(), lambda _, text: on_line(text))


def _follow(
    connection: Connection, job: JobRef, screen: Screen, on_line: Callable[[str, str], None]
) -> JobEnd:
    follower = Follower(
        kubectl=connection.kubectl,
        job=job,
        on_line=on_line,
        on_wait=screen.status,
        on_event=screen.line,
    )
    try:
        return follower.follow()
    finally:
        screen.clear()


def failure_of(job: JobRef, end: JobEnd, what: str, why: str = "") -> CommandError:
    """The error of a Job that did not succeed, with the exit code of its container.

    `what` names what failed, `why` is its own word, if it left one that was understood.
    """
    if end.outcome is Outcome.GONE:
        return CommandError(f"{what} was stopped: somebody deleted the Job {job.name}")
    shown = why or ": ".join(filter(None, (end.reason, end.why))) or "it left no result"
    error = CommandError(f"{what} failed: {shown}")
    if end.exit_code is not None and 0 < end.exit_code <= _MAX_CODE:
        error.exit_code = end.exit_code  # type: ignore[misc]  # click reads it from the instance
    return error
