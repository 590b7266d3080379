"""How a scheduled verification ended, as its termination message says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from dumpers.contract.result import Types, fitting_json, read_result, read_text

# Ids of backups in a result.
MAX_BACKUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What a scheduled verification read, and how it was found.

    `finished` is RFC 3339, empty where the run failed before it knew. `verified` counts backups
    that were read and are good, `damaged` all of the CronJob that are damaged by their last
    verdict, of this run or an earlier one. `backups` are the ids of the newest MAX_BACKUPS that
    were read, newest first, `stored_bytes` were read of the store. `oldest_unread` is when the
    oldest backup that can be restored and was never read began (RFC 3339), empty where there is
    none. `newest_verified` is the id of the newest backup whose last verification found it good, in
    this run or before.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    finished: str = ""
    seconds: float = 0.0
    verified: int = 0
    damaged: int = 0
    backups: tuple[str, ...] = ()
    stored_bytes: int = 0
    oldest_unread: str = ""
    newest_verified: str = ""

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes; a message that is too long is cut."""
        document = {"version": 1, "verify": True} | asdict(self)
        return fitting_json(document | {"backups": list(self.backups[:MAX_BACKUPS])})

    @classmethod
    def from_json(cls, text: str) -> "VerifyResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return read_result(cls, text, _TYPES, {"backups": read_text})


_TYPES: Mapping[str, Types] = {
    **dict.fromkeys(("reason", "message", "finished", "oldest_unread", "newest_verified"), str),
    **dict.fromkeys(("exit_code", "verified", "damaged", "stored_bytes"), int),
    "succeeded": bool,
    "seconds": (int, float),
    "backups": tuple,
}
