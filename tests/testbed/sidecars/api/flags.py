"""The flags of clickhouse-backup's operations, as its routes and its command line take them.

Routes pass over what they do not know, so a flag of a newer release is silently nothing; the
command line refuses it. Both were read in the repository (see `settings`).
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.testbed.sidecars.errors import FailedError
from tests.testbed.sidecars.requests import Request
from tests.testbed.sidecars.settings import Settings

_CLEAN = re.compile(r"[\t\r\n ]+|\.{2,}|[\\/]+")
_MAPPING = re.compile(r"[\w+]:[\w+]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag: how a query names it and how the row of the operation shows it."""

    name: str
    query: str = ""
    shown: str = ""
    kind: Literal["bool", "text", "list"] = "bool"
    commands: str = ""

    @property
    def queried(self) -> str:
        return self.query or self.name


_CREATES = "create create_remote"
_RESTORES = "restore restore_remote"
_ALL = f"{_CREATES} upload download {_RESTORES}"
_MORE = f"{_ALL} watch"
# In the order in which a row's command shows them, but for `upload`, which begins with these.
_UPLOAD = ("delete-source", "diff-from", "diff-from-remote")
FLAGS: tuple[Flag, ...] = (
    Flag(name="watch-interval", kind="text", commands="watch"),
    Flag(name="full-interval", kind="text", commands="watch"),
    Flag(name="watch-backup-name-template", kind="text", commands="watch"),
    Flag(name="tables", query="table", kind="text", commands=_MORE),
    Flag(name="diff-from", kind="text", commands="create_remote upload"),
    Flag(name="diff-from-remote", kind="text", commands=f"{_CREATES} upload"),
    Flag(name="restore-database-mapping", kind="text", commands=_RESTORES),
    Flag(name="restore-table-mapping", kind="text", commands=_RESTORES),
    Flag(name="partitions", kind="list", commands=_MORE),
    Flag(name="schema", commands=_MORE),
    Flag(name="data", commands=_RESTORES),
    Flag(name="drop", commands=_RESTORES),
    Flag(name="rm", commands=_RESTORES),
    Flag(name="ignore-dependencies", commands=_RESTORES),
    Flag(name="rbac", commands=f"{_CREATES} watch {_RESTORES}"),
    Flag(name="rbac-only", commands=_ALL),
    Flag(name="configs", commands=f"{_CREATES} watch {_RESTORES}"),
    Flag(name="configs-only", commands=_ALL),
    Flag(name="named-collections", commands=f"{_CREATES} watch {_RESTORES}"),
    Flag(name="named-collections-only", commands=_ALL),
    Flag(name="skip-check-parts-columns", commands=_CREATES),
    Flag(name="skip-projections", kind="text", commands=f"{_CREATES} upload {_RESTORES}"),
    Flag(name="delete-source", commands="create_remote upload watch"),
    Flag(name="resumable", commands=f"upload download {_RESTORES}"),
    Flag(name="resume", commands=_ALL),
    Flag(name="replicated-copy-to-detached", commands=_RESTORES),
    Flag(name="hardlink-exists-files", commands="download restore_remote"),
    Flag(name="skip-empty-tables", commands=_RESTORES),
    Flag(name="force", commands="delete"),
)
# The command line's other names of the same.
_ALIASES = {"t": "tables", "table": "tables", "s": "schema", "d": "data", "env": ""}
_ALIASES |= {"delete": "delete-source", "delete-local": "delete-source"}
_ALIASES |= {"backup-rbac": "rbac", "backup-configs": "configs"}
_ALIASES |= {"restore-rbac": "rbac", "restore-configs": "configs", "m": "restore-database-mapping"}
_ONE_WAY = frozenset({"schema", "rbac", "configs", "data", "drop", "rm", "resume", "resumable"})
_ODD = {("upload", "delete-source"): "deleteSource", ("upload", "resumable"): "resume"}
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
Given = dict[str, list[str]]


def cleaned(name: str) -> str:
    """A backup's name without what it may not hold."""
    return _CLEAN.sub("", name)


def of_query(
    command: str, name: str, query: Mapping[str, Sequence[str]], settings: Settings
) -> tuple[Request, str]:
    """What a route asks for, and how its row shows it; FailedError for a senseless mapping."""
    given: Given = {}
    for flag in FLAGS:
        if command not in flag.commands.split() or not settings.knows(flag.name):
            continue
        names = [flag.queried]
        if flag.queried not in _ONE_WAY:
            names = [flag.queried.replace("-", "_"), flag.queried.replace("_", "-")]
        found = next((query[one] for one in names if one in query), None)
        if command == "watch" and found and flag.kind == "bool" and found[0] not in _TRUE:
            # Only here is a flag's value read: elsewhere `rbac=false` is as true as `rbac`.
            continue
        if found is not None:
            given[flag.name] = [*found] if flag.kind == "list" else [found[0]]
    return request(command, name, given), _shown(command, name, given)


def _shown(command: str, name: str, given: Given) -> str:
    shown, order = command, FLAGS
    if command == "upload":
        order = tuple(sorted(FLAGS, key=lambda one: (*_UPLOAD, one.name).index(one.name)))
    for flag in order:
        if flag.name not in given or (command, flag.name) == ("create", "diff-from-remote"):
            continue
        if flag.kind == "bool":
            shown += f" --{_ODD.get((command, flag.name), flag.name)}"
        elif flag.name == "skip-projections":
            shown += f" --{flag.name}={given[flag.name][0]}"
        else:
            shown += "".join(f' --{flag.name}="{value}"' for value in given[flag.name])
    return f"{shown} {name}" if name else shown


def of_line(line: str, settings: Settings) -> Request:
    """What a command line asks for; FailedError in the words of its parser."""
    command, *words = shlex.split(line)
    known = {one.name: one for one in FLAGS if command in one.commands.split()}
    given: Given = {}
    arguments: list[str] = []
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            arguments.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        flag = known.get(_ALIASES.get(name, name))
        if flag is None or not settings.knows(flag.name):
            raise FailedError(f"flag provided but not defined: -{name}")
        if flag.kind != "bool" and not equals:
            if not words:
                raise FailedError(f"flag needs an argument: -{name}")
            value = words.pop(0)
        if flag.kind == "bool" and value in {"0", "false"}:
            continue
        given.setdefault(flag.name, []).append(value)
    return request(command, " ".join(arguments), given)


def request(command: str, name: str, given: Given) -> Request:
    def text(flag: str) -> str:
        return given.get(flag, [""])[0]

    has: Callable[[str], bool] = given.__contains__
    return Request(
        command=command,
        name=name if command == "delete" else cleaned(name),
        tables=text("tables"),
        partitions=given.get("partitions", []),
        diff_from=text("diff-from"),
        diff_from_remote=text("diff-from-remote"),
        schema=has("schema"),
        data=has("data"),
        rbac=has("rbac"),
        rbac_only=has("rbac-only"),
        configs=has("configs"),
        configs_only=has("configs-only"),
        named_collections=has("named-collections"),
        delete_source=has("delete-source"),
        resume=has("resume") or has("resumable"),
        drop=has("drop") or has("rm"),
        force=has("force"),
        database_mapping=_mapping("database", given.get("restore-database-mapping", [])),
        table_mapping=_mapping("table", given.get("restore-table-mapping", [])),
        watch_interval=text("watch-interval"),
        full_interval=text("full-interval"),
        template=text("watch-backup-name-template"),
    )


def _mapping(what: str, values: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in ",".join(values).split(",") if values else ():
        source, _, target = one.partition(":")
        if one.count(":") != 1 or not _MAPPING.search(one):
            raise FailedError(f"invalid values in restore_{what}_mapping {one}")
        found[source] = target
    return found
