"""How long a store keeps what was written from being deleted, as a storage asks for it."""

import re
from dataclasses import dataclass

# S3's own words for the two modes.
GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
_LOCK = re.compile(rf"({GOVERNANCE}|{COMPLIANCE}):([1-9][0-9]{{0,4}})")
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectLock:
    """A lock of a number of days; with GOVERNANCE, some keys may delete all the same."""

    mode: str
    days: int


def parse_object_lock(text: str) -> ObjectLock:
    """Read `MODE:DAYS`; ValueError, as the rest of a sentence, if it is none."""
    found = _LOCK.fullmatch(text)
    if not found or int(found[2]) > MAX_DAYS:
        raise ValueError(
            f"must be {GOVERNANCE} or {COMPLIANCE}, a colon and 1 to {MAX_DAYS} days, such as "
            f"{COMPLIANCE}:30"
        )
    return ObjectLock(mode=found[1], days=int(found[2]))
