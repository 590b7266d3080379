"""`POST /backup/actions`: command lines as JSON, a line each, as ClickHouse's URL tables send them.

No operation has an id here, and a busy sidecar answers 500 instead of 423.
"""

import json
import shlex
from dataclasses import replace

from tests.testbed.sidecars.api import flags
from tests.testbed.sidecars.api.refusals import LOCKED, error
from tests.testbed.sidecars.api.wire import Answer, Asked, lines
from tests.testbed.sidecars.errors import FailedError
from tests.testbed.sidecars.operations import Row
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.watch import watch
from tests.testbed.sidecars.worker import Process, new_name

_ASIDE = {"create", "restore", "upload", "download", "create_remote", "restore_remote"}
_ASIDE |= {"list", "watch"}
_AT_ONCE = {"delete", "clean", "clean_local_broken", "clean_remote_broken"}


def take_actions(process: Process, asked: Asked) -> Answer:
    """Does what each line says; what stands before a wrong one is done or under way."""
    if not asked.body:
        return error(400, "", "empty request")
    told = []
    for line in asked.body.split(b"\n"):
        if not line:
            continue
        try:
            command = f"{json.loads(line)['command']}"
        except (ValueError, KeyError, TypeError) as failed:
            return error(400, line.decode(errors="replace"), f"{failed}")
        try:
            words = shlex.split(command)
        except ValueError as failed:
            return error(400, "", f"{failed}")
        if not words or words[0] not in {*_ASIDE, *_AT_ONCE, "kill"}:
            return error(400, command, "unknown command")
        try:
            status = _take(process, words, command)
        except FailedError as failed:
            return error(500, command, f"{failed}")
        told.append({"status": status, "operation": command})
    return lines(told)


def _take(process: Process, words: list[str], command: str) -> str:
    operations = process.operations
    if words[0] == "kill":
        # Its own row is the last one, so it does not find itself unless nothing else runs.
        row = operations.start(command)
        try:
            operations.cancel(
                words[1] if len(words) > 1 else "", "canceled from API /backup/actions"
            )
        except FailedError as failed:
            operations.stop(row, f"{failed}")
            raise
        operations.stop(row)
        return "success"
    if not process.settings.allow_parallel and operations.running():
        raise FailedError(LOCKED)

    def work(row: Row) -> None:
        request = _request(process, words[0], command)
        if words[0] == "watch":
            watch(process, row, request)
        else:
            process.work(row, request)

    if words[0] in _AT_ONCE:
        shown = command if words[0] == "delete" else words[0]
        if wrong := operations.run(operations.start(shown), work):
            raise FailedError(wrong)
        return "success"
    seen = words[0] not in process.settings.skip_actions
    row = operations.start(command) if seen else operations.unseen()
    if words[0] == "list":
        # It prints to the sidecar's own output, where nobody reads it.
        operations.stop(row)
    else:
        operations.run_aside(row, work)
    return "acknowledged"


def _request(process: Process, name: str, command: str) -> Request:
    if name.startswith("clean"):
        return Request(command=name, name="")
    request = flags.of_line(command, process.settings)
    if name.startswith("create") and not request.name:
        return replace(request, name=new_name())
    return request
