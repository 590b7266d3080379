"""How jobs that restore, or look after one backup, ended, as their termination messages say."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dumpers.contract.result import (
    RESULT_MAX_BYTES,
    Types,
    fitting_json,
    json_size,
    read_result,
    read_text,
    without_unknown,
)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreResult:
    """How a restore ended, or what it would do.

    `backup` is the id of the run that was restored, `began` when it began (RFC 3339). `target` is
    `host:port/database`. `restored` are names in the backup with those in the target, `kept` are
    live names with those under which a swap keeps what they held. `actions` are what a plan would
    do. `source_bytes` were read of the backup, before compression, `stored_bytes` is its size in
    the store. `target_partial` is true where a restore that failed may have left something.
    `record` is the key of the restore's record, empty where none was written. Items of lists that
    did not fit are counted by `left_out`; the record has them.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    backup: str = ""
    began: str = ""
    engine: str = ""
    target: str = ""
    server_version: str = ""
    restored: Pairs = ()
    kept: Pairs = ()
    actions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source_bytes: int = 0
    stored_bytes: int = 0
    seconds: float = 0.0
    target_partial: bool = False
    record: str = ""
    left_out: int = 0

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes.

        Where it would be longer, the ends of the longest lists are left out, then the message is
        shortened.
        """
        return _bounded({"version": 1, "restore": True} | asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "RestoreResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return read_result(cls, text, _TYPES, _ITEMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupResult:
    """How a job ended that looked after one backup: verified it, pinned it, or let go of it.

    `objects` and `stored_bytes` were read; `record` is the key that was written or removed.
    `oldest_backup` and `backups` are as those of a DumpResult, of verifications only.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    backup: str = ""
    began: str = ""
    objects: int = 0
    stored_bytes: int = 0
    seconds: float = 0.0
    record: str = ""
    oldest_backup: str = ""
    backups: int = 0

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes; a message that is too long is cut."""
        return _bounded({"version": 1, "left_out": 0} | without_unknown(asdict(self)))

    @classmethod
    def from_json(cls, text: str) -> "BackupResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return read_result(cls, text, _TYPES, _ITEMS)


_PAIRS, _TEXTS = ("restored", "kept"), ("actions", "notes")


def _bounded(document: dict[str, Any]) -> str:
    lists = {name: list(document[name]) for name in (*_PAIRS, *_TEXTS) if name in document}
    document |= lists
    while json_size(document) > RESULT_MAX_BYTES and any(lists.values()):
        longest = max(lists.values(), key=len)
        # By many at a time: a schema has thousands of tables.
        dropped = max(1, len(longest) // 8)
        del longest[-dropped:]
        document["left_out"] += dropped
    return fitting_json(document)


def _pair(item: object) -> tuple[str, str]:
    match item:
        case [str() as was, str() as now]:
            return was, now
    raise ValueError("no pair of names")


_TYPES: Mapping[str, Types] = {
    **dict.fromkeys(("reason", "message", "backup", "began", "engine", "target"), str),
    **dict.fromkeys(("server_version", "record", "oldest_backup"), str),
    **dict.fromkeys(("exit_code", "source_bytes", "stored_bytes", "objects", "left_out"), int),
    "backups": int,
    **dict.fromkeys(("succeeded", "target_partial"), bool),
    **dict.fromkeys((*_PAIRS, *_TEXTS), tuple),
    "seconds": (int, float),
}
_ITEMS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(_PAIRS, _pair),
    **dict.fromkeys(_TEXTS, read_text),
}
