"""How a run ended, as its termination message says."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
Item = TypeVar("Item")
Types: TypeAlias = type | tuple[type, ...]

# Kubernetes keeps at most this much of a container's termination message.
RESULT_MAX_BYTES = 4096
# The outcome of a run that stored its backup, but not in all of its storages, and its reason.
PARTIAL = "partial"
PARTIAL_REASON = "Partial"
# The outcome of a pod that stored its shard of a run that several share: another one ends the run.
PART = "part"
# Of a failure's message the beginning says what was tried, the end why it failed.
_WHY_BEGINS, _WHY_ENDS = 60, 240


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageResult:
    """What one of a run's storages has: the whole backup where `stored`, else why not.

    `reason` is the stable name of the failure, `message` explains it; both are empty otherwise.
    """

    name: str
    stored: bool
    reason: str = ""
    message: str = ""

    @classmethod
    def given_up(cls, name: str, *, reason: str, message: str) -> "StorageResult":
        """That of a storage which has no backup of the run; a long message loses its middle."""
        is_long = len(message) > _WHY_BEGINS + _WHY_ENDS
        short = f"{message[:_WHY_BEGINS]}…{message[-_WHY_ENDS:]}" if is_long else message
        return cls(name=name, stored=False, reason=reason, message=short)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpResult:
    """How a run ended: the termination message that the controller reads.

    `source_bytes` left the dump tool, `stored_bytes` reached S3; `sha256` is that of the stored
    object when there is exactly one. `seconds` is wall time. `verified` is READ_BACK when all
    objects were read back and were as they had been sent, else empty. `notes` are the codes of the
    notes that nobody accepted, `accepted` those of the others: what the backup lacks or alters is
    in its manifest. `oldest_backup` is when the oldest of this CronJob's backups that can be
    restored began (RFC 3339), `backups` how many there are, as of the run's end; empty and 0 where
    its keys may not list. `size_accepted` says that the run was told, when it began, that its size
    is right however small. `outcome` is PART in a pod that stored its shard and left the rest to
    others, PARTIAL where the backup is in some of the run's storages and others were given up, else
    empty; what is said of the backup is then said of the first storage that has it. `storages` has
    all that the run was to write to, none where `main` is the only one.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    engine: str = ""
    server_version: str = ""
    tool_version: str = ""
    keys: tuple[str, ...] = ()
    key_count: int = 0
    source_bytes: int = 0
    stored_bytes: int = 0
    sha256: str = ""
    seconds: float = 0.0
    record: str = ""
    verified: str = ""
    notes: tuple[str, ...] = ()
    oldest_backup: str = ""
    backups: int = 0
    accepted: tuple[str, ...] = ()
    size_accepted: bool = False
    outcome: str = ""
    storages: tuple[StorageResult, ...] = ()

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes.

        Where it would be longer, the keys are left out, then the messages of the storages, then the
        message is shortened.
        """
        members = {name: getattr(self, name) for name in self.__slots__}
        members["storages"] = [_told(item) for item in self.storages]
        document: dict[str, Any] = {"version": 1} | without_unknown(members)
        if json_size(document) > RESULT_MAX_BYTES:
            document["keys"] = []
        if json_size(document) > RESULT_MAX_BYTES:
            for item in document.get("storages", []):
                item.pop("message", None)
        return fitting_json(document)

    @classmethod
    def from_json(cls, text: str) -> "DumpResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return read_result(cls, text, _TYPES, _ITEMS)


_LEFT_OUT = frozenset(("oldest_backup", "backups", "size_accepted", "outcome", "storages"))
_TEXTS = ("keys", "notes", "accepted")
_TYPES: Mapping[str, Types] = {
    **dict.fromkeys(("reason", "message", "engine", "server_version", "tool_version"), str),
    **dict.fromkeys(("sha256", "record", "verified", "oldest_backup", "outcome"), str),
    **dict.fromkeys(("exit_code", "key_count", "source_bytes", "stored_bytes", "backups"), int),
    **dict.fromkeys(("succeeded", "size_accepted"), bool),
    **dict.fromkeys((*_TEXTS, "storages"), tuple),
    "seconds": (int, float),
}


def _told(storage: StorageResult) -> dict[str, Any]:
    """The members of a storage's result that say something."""
    members = {name: getattr(storage, name) for name in StorageResult.__slots__}
    return {name: value for name, value in members.items() if value != ""}


def read_storage(item: object) -> StorageResult:
    """An item of `storages`; ValueError if it is none. Members that are not known are left out."""
    if not isinstance(item, dict):
        raise ValueError("no storage")  # noqa: TRY004  one error for all
    texts = {name: item.get(name, "") for name in ("name", "reason", "message")}
    stored = item.get("stored")
    if not isinstance(stored, bool) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("no storage")
    return StorageResult(stored=stored, **texts)


def without_unknown(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a result, without those beyond its own backup that say nothing."""
    return {name: value for name, value in members.items() if name not in _LEFT_OUT or value}


def fitting_json(document: dict[str, Any]) -> str:
    """Compact JSON of a result, whose `message` is cut until RESULT_MAX_BYTES bytes are enough."""
    message = document["message"]
    while json_size(document) > RESULT_MAX_BYTES and message:
        message = message[: len(message) * 3 // 4]
        document["message"] = message + "…"
    return compact_json(document)


def read_result(
    kind: type[T],
    text: str,
    types: Mapping[str, Types],
    items: Mapping[str, Callable[[object], Item]],
) -> T:
    """Read a termination message as a `kind`, a dataclass; members that it has not are left out.

    `types` are those of its members, `items` say for each list how an item is read: they raise
    ValueError. ValueError if the message is not one of ours.
    """
    try:
        document = json.loads(text)
        names = [item.name for item in fields(kind)]
        known = {name: document[name] for name in names if name in document}
        lists = {name: tuple(map(items[name], known[name])) for name in items if name in known}
        result = kind(**{**known, **lists})
    except (TypeError, KeyError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"no {kind.__name__}: {type(error).__name__}") from error
    for name in known:
        if not isinstance(getattr(result, name), types[name]):
            raise ValueError(f"no {kind.__name__}: {name} has another type")  # noqa: TRY004  one error
    return result


def read_text(item: object) -> str:
    """An item of a list of texts; ValueError if it is something else."""
    if not isinstance(item, str):
        raise ValueError("no text")  # noqa: TRY004  what read_result asks for
    return item


_ITEMS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(_TEXTS, read_text),
    "storages": read_storage,
}


def compact_json(document: Mapping[str, Any]) -> str:
    """JSON without blanks, whatever the texts in it hold."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has no UTF-8 form, and a result has to be written whatever it holds.
    return text.encode("utf-8", "replace").decode()


def json_size(document: Mapping[str, Any]) -> int:
    """The bytes of a document's compact JSON."""
    return len(compact_json(document).encode())
