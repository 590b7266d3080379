"""When each storage of a workload got its last backup, kept on the CronJob beside the last runs.

A run that is partial is a good one, whose backup some of the storages lack: what is overdue there
does not show in the CronJob's own last success. An annotation that somebody edited says nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.model.names import STORAGES
from controller.model.objects import Json, annotations_of, is_suspended
from controller.runs.due import due, expectation_of, in_force_since, seconds_of
from controller.workloads.storages.dump_container import dump_container, literal_of
from dumpers.contract import names as variables
from dumpers.contract.result import DumpResult, StorageResult
from dumpers.contract.storages.named_storage import split_names

_MOST = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is known of one storage; `finished` and `since` are RFC 3339.

    `finished` is the end of the last run that it has the backup of, empty for none; `bytes` is that
    backup's size, and `since` the end of the first run that was to write to it.
    """

    since: str
    finished: str = ""
    bytes: int = 0


def storage_names(cronjob: Json) -> tuple[str, ...]:
    """The storages that a dump CronJob writes to; empty for `main` alone, and where unread."""
    try:
        return split_names(literal_of(dump_container(cronjob) or {}, variables.STORAGES))
    except ValueError:
        return ()


def stored_of(cronjob: Json) -> Mapping[str, Stored]:
    """What a CronJob records of its storages, by their names."""
    try:
        document = json.loads(annotations_of(cronjob).get(STORAGES, "{}"))
    except (ValueError, RecursionError):
        return {}
    items = document.items() if isinstance(document, dict) else ()
    return {name: entry for name, item in items if (entry := _read(item))}


def known_storages(cronjob: Json) -> Mapping[str, Stored]:
    """What is recorded of the storages that a CronJob writes to now; empty for `main` alone."""
    names = storage_names(cronjob)
    known = stored_of(cronjob) if names else {}
    return {name: known[name] for name in names if name in known}


def stored_with(cronjob: Json, runs: Iterable[tuple[str, DumpResult]]) -> str | None:
    """Write what is known with runs added, by their ends; None where that changes nothing.

    Only what the CronJob writes to now, or a run of these did, is kept. A good run that says
    nothing of storages, such as one of an image that knows of none, has stored to the first alone
    as far as anybody knows.
    """
    known, found = stored_of(cronjob), dict(known_storages(cronjob))
    silent = [
        StorageResult(name=name, stored=not number)
        for number, name in enumerate(storage_names(cronjob))
    ]
    for finished, result in sorted(runs, key=lambda run: run[0]):
        for item in result.storages or (silent if result.succeeded else ()):
            entry = found.get(item.name) or known.get(item.name) or Stored(since=finished)
            if item.stored and result.succeeded and finished > entry.finished:
                size = min(max(int(result.stored_bytes), 0), _MOST)
                entry = replace(entry, finished=finished, bytes=size)
            found[item.name] = entry
    if found == known:
        return None
    return json.dumps(
        {name: _written(entry) for name, entry in found.items()}, separators=(",", ":")
    )


def storage_due_at(cronjob: Json, entry: Stored, slack: int) -> int | None:
    """When a storage must have its next backup, in seconds since the epoch; as `due_at` else."""
    if is_suspended(cronjob):
        return None
    expected = expectation_of(cronjob, slack)
    last = seconds_of(entry.finished) or seconds_of(entry.since)
    if expected is None or last is None:
        return None
    return due(replace(expected, since=max(last, in_force_since(cronjob))))


def _written(entry: Stored) -> dict[str, Any]:
    members = {"since": entry.since, "finished": entry.finished, "bytes": entry.bytes}
    return {name: value for name, value in members.items() if value}


def _read(item: object) -> Stored | None:
    if not isinstance(item, dict):
        return None
    since, finished = item.get("since"), item.get("finished", "")
    size = item.get("bytes", 0)
    if not isinstance(since, str) or seconds_of(since) is None:
        return None
    if not isinstance(finished, str) or (finished and seconds_of(finished) is None):
        return None
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MOST
    return Stored(since=since, finished=finished, bytes=size) if is_size else None
