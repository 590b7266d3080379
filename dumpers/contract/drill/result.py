"""How a drill ended, as its termination message says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from dumpers.contract.result import Types, fitting_json, read_result


class Outcome(StrEnum):
    """What is known of the backup after a drill."""

    PASSED = "passed"  # it was restored, and holds what was dumped
    FAILED = "failed"  # it holds something else, or the drill came to no end
    NOT_DRILLABLE = "not-drillable"  # no drill can be made of it here, which is no fault of it


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """What a drill restored, and what it found there.

    `succeeded` is false for FAILED alone. `reason` is `Succeeded`, `NotDrillable`, or the stable
    name of the failure that `message` explains. `backup` is the id of the backup that was tried and
    `began` when its dump began (RFC 3339); `finished` is when the drill ended, `age_seconds` how
    old the data was then. `start_seconds`, `restore_seconds` and `compare_seconds` are those of its
    stages; `check_seconds` of the `checks` that the user asks for, of which `checks_failed` did not
    hold. `tables` were compared, `differing` of them differ. `server_version` is that of the
    throwaway server, `image` its image, `record` the key of the drill's record, empty where none
    could be written.
    """

    succeeded: bool
    exit_code: int
    reason: str
    message: str
    outcome: str = Outcome.FAILED
    backup: str = ""
    began: str = ""
    finished: str = ""
    engine: str = ""
    server_version: str = ""
    image: str = ""
    tables: int = 0
    differing: int = 0
    source_bytes: int = 0
    age_seconds: float = 0.0
    seconds: float = 0.0
    start_seconds: float = 0.0
    restore_seconds: float = 0.0
    compare_seconds: float = 0.0
    checks: int = 0
    checks_failed: int = 0
    check_seconds: float = 0.0
    record: str = ""

    def to_json(self) -> str:
        """Compact JSON of at most RESULT_MAX_BYTES bytes; a message that is too long is cut."""
        return fitting_json({"version": 1, "drill": True} | asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "DrillResult":
        """Read a termination message; ValueError if it is not one of ours."""
        return read_result(cls, text, _TYPES, {})


_TYPES: Mapping[str, Types] = {
    **dict.fromkeys(
        (
            *("reason", "message", "outcome", "backup", "began", "finished", "engine"),
            *("server_version", "image", "record"),
        ),
        str,
    ),
    **dict.fromkeys(
        ("exit_code", "tables", "differing", "source_bytes", "checks", "checks_failed"), int
    ),
    **dict.fromkeys(
        (
            *("age_seconds", "seconds", "start_seconds", "restore_seconds", "compare_seconds"),
            "check_seconds",
        ),
        (int, float),
    ),
    "succeeded": bool,
}
