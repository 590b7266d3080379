"""chbackup's routes: those of clickhouse-backup as it understands them, and its own.

Read in the repository siqueiraa/chbackup at v0.1.0 and the commits to March 2026. What differs
and a client must know: options come as a JSON body with `Content-Type: application/json`, and a
body that cannot be read is as none, so a query string is passed over and a backup of everything
gets a name of its own; the row of an operation says its command without the name and has no id;
commands of `/backup/actions` wait for their turn instead of being refused; a delete never asks
what others need, and answers before it is done.
"""

import functools
import re
import threading
from dataclasses import replace

from tests.testbed.sidecars.api import chbackup_requests as asking
from tests.testbed.sidecars.api import lists
from tests.testbed.sidecars.api.wire import Answer, Asked, compact, lines
from tests.testbed.sidecars.backups.context import Context
from tests.testbed.sidecars.operations import CANCEL, IN_PROGRESS, SUCCESS, Row, now
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.worker import Process, new_name

_EPOCH = "1970-01-01 00:00:00"
_STATES = {IN_PROGRESS: "running", SUCCESS: "completed", CANCEL: "killed"}
_OPERATIONS = ("create", "create_remote", "upload", "download", "restore", "restore_remote")
_COMMANDS = {*_OPERATIONS, "delete", "clean_broken"}
_LOCKED = "operation already in progress"


def answer(process: Process, asked: Asked) -> Answer:
    """What chbackup answers; every path needs the login, where there is one."""
    login = process.settings.login
    if login is not None and asked.login != (login.user, login.password):
        headers = {"WWW-Authenticate": 'Basic realm="chbackup"'}
        return Answer(status=401, body=b"Unauthorized", content="text/plain", headers=headers)
    go = asked.path.startswith("/backup/")
    path = re.sub(r"^/(backup|api/v1)/", "", asked.path)
    if asked.path == "/health":
        return _json({"status": "ok"})
    if asked.path == path:
        return Answer(status=404)
    if asked.method in {"GET", "HEAD"}:
        return _read(process, asked, path, go=go)
    return _write(process, asked, path, go=go)


def _read(process: Process, asked: Asked, path: str, *, go: bool) -> Answer:
    context = process.context(process.operations.unseen())
    if path == "version":
        version = process.settings.shown_version
        return _json({"version": version, "clickhouse_version": context.server.version()})
    if path == "status":
        return _status(process)
    if path == "actions":
        return _actions(process, go=go)
    if found := re.fullmatch(r"list(?:/(\w+))?", path):
        where = found[1] or asked.query.get("location", [""])[0]
        return _list(context, where, go=go)
    return Answer(status=404)


def _status(process: Process) -> Answer:
    """Only what is going on."""
    running = process.operations.running()
    row = running[0] if running else None
    told = {"status": "running" if row else "idle"}
    return _json(told | {"command": row and row.command, "start": row and row.start})


def _list(context: Context, where: str, *, go: bool) -> Answer:
    if where not in {"", "local", "remote"}:
        return _refuse(400, "Invalid location: must be 'local' or 'remote'")
    rows = lists.chbackup_rows(context, where)
    if go:
        return lines(rows)
    return _json([{k: v for k, v in row.items() if k != "desc"} for row in rows])


def _actions(process: Process, *, go: bool) -> Answer:
    rows: list[dict[str, object]] = []
    for row in process.operations.rows:
        state = _STATES.get(row.status, "failed")
        error = row.error if state == "failed" else ""
        told: dict[str, object] = {"command": row.command, "start": row.start}
        told |= {"finish": row.finish, "status": state, "error": error}
        if go:
            told |= {"finish": row.finish or _EPOCH, "status": row.status}
        rows.append(told if go else {"id": row.number, **told})
    return lines(rows) if go else _json(rows)


def _write(process: Process, asked: Asked, path: str, *, go: bool) -> Answer:
    name, _, rest = path.partition("/")
    if path == "kill":
        return _kill(process, asked)
    if path == "actions":
        return _take(process, asked, go=go)
    if name == "delete" and asked.method == ("POST" if go else "DELETE"):
        return _delete(process, rest, go=go)
    if name == "clean" and rest in {"", "remote_broken", "local_broken"}:
        shown = f"clean_broken_{rest.split('_')[0]}" if rest else "clean"
        command = f"clean_{rest}" if rest else "clean"
        return _begin(process, shown, Request(command=command, name=""), go=go)
    if name in _OPERATIONS:
        return _operation(process, asked, name, rest, go=go)
    return Answer(status=404)


def _operation(process: Process, asked: Asked, name: str, rest: str, *, go: bool) -> Answer:
    body = asking.body_of(asked)
    backup = rest or body.get("backup_name") or new_name()
    if (wrong := asking.wrong_name(backup, fresh=name.startswith("create"))) is not None:
        return _refuse(400, f"invalid backup name: {wrong}")
    if body.get("schema") and body.get("data_only"):
        return _refuse(400, "schema and data_only are mutually exclusive")
    return _begin(process, name, asking.of_body(name, backup, body), go=go)


def _delete(process: Process, rest: str, *, go: bool) -> Answer:
    where, _, backup = rest.partition("/")
    if where not in {"local", "remote"}:
        return _refuse(400, f"invalid location '{where}': expected 'local' or 'remote'")
    request = Request(command="delete", name=f"{where} {backup}", force=True)
    return _begin(process, "delete", request, go=go)


def _begin(process: Process, shown: str, request: Request, *, go: bool) -> Answer:
    begin = process.operations.start_alone
    if process.settings.allow_parallel:
        begin = process.operations.start
    if (row := begin(shown)) is None:
        return _refuse(423, _LOCKED)
    process.operations.run_aside(row, lambda row: process.work(row, request))
    if go:
        return _json({"status": "acknowledged", "operation": request.command})
    return _json({"id": row.number, "status": "started"})


def _kill(process: Process, asked: Asked) -> Answer:
    identity = asked.query.get("id", [""])[0]
    running = [one for one in process.operations.running() if identity in {"", f"{one.number}"}]
    for row in running:
        row.life.cancelled.set()
        row.status, row.finish = CANCEL, now()
    if not running:
        return Answer(status=404)
    return Answer(body=b"killed", content="text/plain; charset=utf-8")


def _take(process: Process, asked: Asked, *, go: bool) -> Answer:
    """Command lines; on the other's route they queue, on its own the first may be refused."""
    commands = asking.commands_of(asked.body)
    if not commands:
        return _refuse(400, f"empty or unparseable {'' if go else 'request '}body")
    for command in commands:
        word = command.split(" ")[0]
        if word not in _COMMANDS:
            text = f"invalid command: {command}" if go else f"unknown command: '{word}'"
            return _refuse(400, text)
    if not go and process.operations.running() and not process.settings.allow_parallel:
        return _refuse(423, _LOCKED)
    rows = [process.operations.start(command) for command in commands]
    thread = threading.Thread(target=_queue, args=(process, rows), daemon=True)
    thread.start()
    if go:
        return _json({"status": "acknowledged", "operation": "actions"})
    return _json({"id": rows[0].number, "status": "started"})


def _queue(process: Process, rows: list[Row]) -> None:
    """Each waits until none is running that came before it, and may be killed meanwhile."""
    for row in rows:
        while any(
            one.number < row.number and not one.done.is_set()
            for one in process.operations.running()
        ):
            if process.operations.dead.wait(0.02) or row.life.cancelled.is_set():
                break
        request = asking.of_line(row.command)
        process.operations.run(row, functools.partial(process.work, request=request))


def _json(told: object) -> Answer:
    return Answer(body=compact(told).encode(), content="application/json")


def _refuse(status: int, text: str) -> Answer:
    return replace(_json({"error": text}), status=status)
