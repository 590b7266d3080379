"""What chbackup is asked for: JSON bodies and command lines, read as it reads them."""

import json
from dataclasses import replace
from typing import Any

from tests.testbed.sidecars.api import flags
from tests.testbed.sidecars.api.wire import Asked
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.worker import new_name

_WRONG = {"..": "'..'", "/": "'/'", "\\": "'\\'", "\0": "NUL byte"}
_RESERVED = {"latest", "previous"}


def body_of(asked: Asked) -> dict[str, Any]:
    """What the body tells; one that is not said to be JSON is as none."""
    if not asked.content.startswith("application/json"):
        return {}
    try:
        told = json.loads(asked.body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def of_body(command: str, name: str, body: dict[str, Any]) -> Request:
    return Request(
        command=command,
        name=name,
        tables=body.get("tables") or "",
        partitions=(body.get("partitions") or "").split(",") if body.get("partitions") else [],
        diff_from_remote=body.get("diff_from_remote") or "",
        schema=bool(body.get("schema")),
        data=bool(body.get("data_only")),
        rbac=bool(body.get("rbac")),
        configs=bool(body.get("configs")),
        delete_source=bool(body.get("delete_source") or body.get("delete_local")),
        drop=bool(body.get("rm")),
    )


def commands_of(body: bytes) -> list[str]:
    """The commands of a list, or of lines; those that cannot be read are passed over."""
    found: list[Any] = []
    for text in (body, *body.split(b"\n")):
        try:
            told = json.loads(text)
        except ValueError:
            continue
        if isinstance(told, list):
            found += told
            break
        found.append(told)
        if text is body:
            break
    return [f"{one['command']}" for one in found if isinstance(one, dict) and "command" in one]


def of_line(line: str) -> Request:
    """Unknown flags are passed over, and of the known ones there are few."""
    command, *words = line.split()
    if command == "delete":
        where = words if words[:1] in (["local"], ["remote"]) else ["remote", *words]
        return Request(command="delete", name=" ".join(where[:2]))
    if command == "clean_broken":
        where_broken = words[0] if words else "remote"
        return Request(command=f"clean_{where_broken}_broken", name="")
    given: flags.Given = {}
    names: list[str] = []
    while words:
        word = words.pop(0)
        flag, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-"):
            names.append(word)
        elif flag in {"table", "t", "diff-from-remote", "restore-table-mapping"}:
            known = {"t": "tables", "table": "tables"}.get(flag, flag)
            given[known] = [value if equals or not words else words.pop(0)]
        elif flag in {"rbac", "configs", "rm", "drop"}:
            given[flag] = [""]
    asked = flags.request(command, names[0] if names else "", given)
    return asked if asked.name else replace(asked, name=new_name())


def wrong_name(name: str, *, fresh: bool) -> str | None:
    if not name or name == ".":
        return "backup name must not be " + ("'.'" if name else "empty")
    for part, shown in _WRONG.items():
        if part in name:
            return f"backup name must not contain {shown}"
    if fresh and name in _RESERVED:
        return "backup name must not be a reserved shortcut ('latest' or 'previous')"
    return None
