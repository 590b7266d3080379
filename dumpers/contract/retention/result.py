"""How jobs that delete backups ended, as their termination messages say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dumpers.contract.result import (
    RESULT_MAX_BYTES,
    Types,
    compact_json,
    fitting_json,
    json_size,
    read_result,
    read_text,
)

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
        return read_result(cls, text, _TYPES, _ITEMS)


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
        return read_result(cls, text, _TYPES, _ITEMS)


_LISTS = ("held_back_cronjobs", "shrunk_cronjobs", "failed_cronjobs", "left_keys")


def _bounded(document: dict[str, Any]) -> str:
    lists = {name: list(document[name]) for name in _LISTS if name in document}
    document |= lists
    while json_size(document) > RESULT_MAX_BYTES and any(lists.values()):
        max(lists.values(), key=lambda names: len(compact_json({"": names}))).pop()
    return fitting_json(document)


_TYPES: Mapping[str, Types] = {
    **dict.fromkeys(("reason", "message"), str),
    **dict.fromkeys(("exit_code", "workloads", "kept", "deleted", "freed_bytes"), int),
    **dict.fromkeys(("held_back", "shrunk", "left", "swept"), int),
    **dict.fromkeys(("succeeded", "dry_run"), bool),
    **dict.fromkeys(_LISTS, tuple),
    "seconds": (int, float),
}
_ITEMS = dict.fromkeys(_LISTS, read_text)
