"""The routes of clickhouse-backup that do something, at once or while others are answered."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.testbed.sidecars.api import flags
from tests.testbed.sidecars.api.refusals import LOCKED, error
from tests.testbed.sidecars.api.wire import Answer, Asked, lines
from tests.testbed.sidecars.errors import FailedError
from tests.testbed.sidecars.operations import new_id
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.watch import watch
from tests.testbed.sidecars.worker import Process, new_name

_GIVEN = {"create": 201, "create_remote": 201, "upload": 200, "download": 200}
_GIVEN |= {"restore": 200, "restore_remote": 200}
Answering = Callable[[Process, Asked, dict[str, str]], Answer]


def start(command: str) -> Answering:
    """A route that puts an operation to work and answers before it has ended."""

    def begin_it(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
        settings = process.settings
        query = asked.query
        name = flags.cleaned(named.get("name") or query.get("name", [""])[0])
        identity = new_id()
        if not settings.allow_parallel and process.operations.running():
            return error(423, command, LOCKED)
        try:
            request, shown = flags.of_query(command, name, query, settings)
        except FailedError as failed:
            return error(500, command, f"{failed}")
        request = request if request.name else replace(request, name=new_name())
        remote = command.endswith("_remote")
        known = settings.rows_name_remote_operations if remote else settings.has_remote_routes
        begin = process.operations.start_alone
        if settings.allow_parallel:
            begin = process.operations.start
        row = begin(
            shown, operation_id=identity if known else "", callbacks=_callbacks(process, asked)
        )
        if row is None:
            return error(423, command, LOCKED)
        process.operations.run_aside(row, lambda row: process.work(row, request))
        told: dict[str, Any] = {
            "status": "acknowledged",
            "operation": command,
            "backup_name": request.name,
        }
        if command == "upload":
            base = {"backup_from": request.diff_from} if request.diff_from else {}
            told |= {**base, "diff": bool(request.diff_from)}
        if settings.has_remote_routes:
            told["operation_id"] = identity
        return lines([told], status=_GIVEN[command])

    return begin_it


def _callbacks(process: Process, asked: Asked) -> list[str]:
    given = [url for url in asked.query.get("callback", []) if url.strip()]
    return given or [url for url in [process.settings.callback_url] if url]


def delete(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    where, name = named["where"], named["name"]
    if not process.settings.allow_parallel and process.operations.running():
        return error(423, "delete", LOCKED)
    force = asked.query.get("force", [""])[0] in {"1", "true"}
    row = process.operations.start(f"delete {where} {name}{' --force' if force else ''}")
    request = Request(command="delete", name=f"{where} {flags.cleaned(name)}", force=force)
    if failed := process.operations.run(row, lambda row: process.work(row, request)):
        return error(500, "delete", failed)
    told = {"status": "success", "operation": "delete", "backup_name": name, "location": where}
    return lines([told])


def now(command: str) -> Answering:
    """A route that answers when its operation has ended; it asks nobody whether it may."""

    def run(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
        row = process.operations.start(command)
        request = Request(command=command, name="")
        if failed := process.operations.run(row, lambda row: process.work(row, request)):
            return error(500, command, failed)
        return lines([{"status": "success", "operation": command}])

    return run


def kill(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    wanted = asked.query.get("command", [""])[0]
    try:
        ended = process.operations.cancel(wanted, "canceled from API /backup/kill")
    except FailedError as failed:
        told = {"status": "error", "operation": "kill", "error": f"{failed}"}
        return lines([told], status=500)
    return lines([{"status": "success", "operation": "kill", "command": ended}])


def restart(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    # It only begins anew in the same process: rows stay, every one of them as cancelled.
    process.operations.cancel_all("canceled via API /restart")
    return lines([{"status": "acknowledged", "operation": "restart"}], status=201)


def watch_on(process: Process, asked: Asked, named: dict[str, str]) -> Answer:
    """Puts the watch to work, once; from then on the sidecar is busy."""
    running = process.operations.running()
    if not process.settings.allow_parallel and running:
        return error(423, "watch", LOCKED)
    request, shown = flags.of_query("watch", "", asked.query, process.settings)
    if shown in {one.command for one in running}:
        return error(423, "watch", LOCKED)
    row = process.operations.start(shown)
    process.operations.run_aside(row, lambda row: watch(process, row, request))
    told = {"status": "acknowledged", "operation": "watch", "command": shown}
    return lines([told], status=201)
