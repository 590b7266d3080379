"""Members of records in annotations, which somebody may have edited: what is odd is not said."""

from collections.abc import Mapping
from typing import Any

from controller.runs.due import seconds_of

LONGEST_WORD = 64
_LONGEST_NAME = 200
_MOST = 2**60


def word_in(record: Mapping[str, Any], name: str) -> str:
    """A word, such as a reason or an id; cut where it is too long for one."""
    return str(record.get(name) or "")[:LONGEST_WORD]


def name_in(record: Mapping[str, Any], name: str) -> str:
    """A name of several words, such as that of an image; cut where it is too long for one."""
    return str(record.get(name) or "")[:_LONGEST_NAME]


def moment_in(record: Mapping[str, Any], name: str) -> str:
    """A moment in RFC 3339; empty where it is none."""
    found = record.get(name)
    return str(found) if seconds_of(found) is not None else ""


def number_in(record: Mapping[str, Any], name: str) -> float:
    """A number that is none below 0; 0 for anything else."""
    value = record.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MOST:
        return 0.0
    return float(value)
