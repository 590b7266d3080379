"""What a person asks a restore to do, as it travels to the job in one JSON variable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

LATEST = "latest"
# Before a time: the newest backup that began at it or before it.
AT = "at:"
# More would only wait for each other.
MOST_SESSIONS = 64


class RestoreMode(StrEnum):
    """What happens with what the target holds already."""

    EMPTY = "empty"  # nothing: the restore is refused where the target holds anything of it
    BESIDE = "beside"  # nothing: the restore goes under new names
    OVERWRITE = "overwrite"  # it is replaced, once the backup is known to be whole
    SWAP = "swap"  # it changes places with the restored one in one step, and is kept for an undo


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreRequest:
    """Which part of a backup is restored, and how.

    `databases` and `tables` choose, in the engine's own words for them (a table, an index); empty
    means all. `partitions` is the text of ClickHouse's `partitions` annotation. `names` are new
    names by old ones, of databases, or of tables and indices where the engine can rename those.
    `suffix` is appended to the name of what is restored with BESIDE and has no new name; the
    engine appends it, too, to what it loads and keeps beside for OVERWRITE and SWAP. `globals` asks
    for roles, accounts and settings of the whole server. `parallelism` is how many sessions may
    load a database at a time, where the engine can. `by` is a name for this restore, by which what
    it leaves is known again.
    """

    mode: RestoreMode = RestoreMode.EMPTY
    databases: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    partitions: str = ""
    names: Mapping[str, str] | None = None
    suffix: str = "_restored"
    globals: bool = False
    parallelism: int = 1
    by: str = ""

    def to_json(self) -> str:
        """The request as compact JSON, without what is at its default."""
        members = {name: getattr(self, name) for name in self.__slots__}
        default = RestoreRequest()
        asked = {name: value for name, value in members.items() if value != getattr(default, name)}
        return json.dumps(asked, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "RestoreRequest":
        """Read a request; ValueError says what is wrong with it."""
        try:
            members = json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            raise ValueError("it is no JSON") from error
        if not isinstance(members, dict):
            raise ValueError("it is no JSON object")  # noqa: TRY004  one error for all faults
        if unknown := sorted(set(members) - set(cls.__slots__)):
            raise ValueError(f"it has unknown members: {', '.join(unknown)}")
        return cls(**{name: _member(name, value) for name, value in members.items()})


def _member(name: str, value: Any) -> Any:
    """A member of a request in its own type; ValueError where it has another."""
    match name, value:
        case "mode", str() if value in set(RestoreMode):
            return RestoreMode(value)
        case (("databases" | "tables"), list()) if all(isinstance(item, str) for item in value):
            return tuple(value)
        case "names", dict() if all(isinstance(item, str) for item in value.values()):
            return value
        case (("partitions" | "suffix" | "by"), str()):
            return value
        case "globals", bool():
            return value
        case "parallelism", int() if not isinstance(value, bool) and 1 <= value <= MOST_SESSIONS:
            return value
    raise ValueError(f"its member {name} has a value that it cannot have")
