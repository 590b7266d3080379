"""How jobs that delete backups ended, as their termination messages say."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from dumpers.contract.result import RESULT_MAX_BYTES, compact_json, json_size

T = TypeVar("T", "PruneResult", "DeleteResult")
# Names in a result, and keys of what stays.
MAX_NAMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What a prune did, or with `dry_run` would have done, to all CronJobs of a cluster.

    `workloads` is the number of CronJobs that were judged to the end; `kept` and `deleted` count
    backups, `freed_bytes` is what the store gave back. `held_back` counts backups that a policy
    wants gone and no proof covers, `shrunk` those that are suspiciously small, `left` objects that
    stay in the bucket although their backup is gone or was to go, `swept` crashed runs that were
    cleared away. The lists of CronJobs hold the first MAX_NAMES; `failed_cronjobs` are those that
    were not judged to the end.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    seconds: float = 0.0
    workloads: int = 0
    kept: int = 0
    deleted: int = 0
    freed_bytes: int = 0
    held_back: int = 0
    shrunk: int = 0
    left: int = 0
    swept: int = 0
    held_back_cronjobs: tuple[str, ...] = ()
    shrunk_cronjobs: tuple[str, ...] = ()
    failed_cronjobs: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes: without names, then a shorter message."""
        return _bounded({"version": 1, "prune": True} | asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "PruneResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return _read(cls, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult:
    """What a deletion that somebody asked for did, or with `dry_run` would have done.

    `deleted` counts runs, `freed_bytes` is what the store gave back. `left` counts objects and runs
    that stay, `left_keys` are the first MAX_NAMES of them.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    seconds: float = 0.0
    deleted: int = 0
    freed_bytes: int = 0
    left: int = 0
    left_keys: tuple[str, ...] = ()
    dry_run: bool = False

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes: without keys, then a shorter message."""
        return _bounded({"version": 1, "delete": True} | asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "DeleteResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return _read(cls, text)


_LISTS = ("held_back_cronjobs", "shrunk_cronjobs", "failed_cronjobs", "left_keys")


def _bounded(document: dict[str, Any]) -> str:
    lists = {name: list(document[name]) for name in _LISTS if name in document}
    document |= lists
    while json_size(document) > RESULT_MAX_BYTES and any(lists.values()):
        max(lists.values(), key=lambda names: len(compact_json({"": names}))).pop()
    message = document["message"]
    while json_size(document) > RESULT_MAX_BYTES and message:
        message = message[: len(message) * 3 // 4]
        document["message"] = message + "…"
    return compact_json(document)


def _read(kind: type[T], text: str) -> T:
    try:
        document = json.loads(text)
        names = {item.name for item in fields(kind)}
        known = {name: value for name, value in document.items() if name in names}
        lists = {name: tuple(known[name]) for name in _LISTS if name in known}
        result = kind(**{**known, **lists})
    except (TypeError, KeyError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"no {kind.__name__}: {type(error).__name__}") from error
    for name in known:
        if not isinstance(getattr(result, name), _TYPES[name]):
            raise ValueError(f"no {kind.__name__}: {name} has another type")  # noqa: TRY004  one error
    if not all(isinstance(item, str) for names in lists.values() for item in names):
        raise ValueError(f"no {kind.__name__}: a list holds another type")
    return result


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("reason", "message"), str),
    **dict.fromkeys(("exit_code", "workloads", "kept", "deleted", "freed_bytes"), int),
    **dict.fromkeys(("held_back", "shrunk", "left", "swept"), int),
    **dict.fromkeys(("succeeded", "dry_run"), bool),
    **dict.fromkeys(_LISTS, tuple),
    "seconds": (int, float),
}
