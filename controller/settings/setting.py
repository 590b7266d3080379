"""The record of one setting, which env, chart and schema share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Where a dataclass field keeps its Setting.
RECORD = "ksnapshot_setting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. `chart` is its path in values.yaml, None where the chart computes it.

    `read` turns a non-empty string into the value and raises ValueError with what is wrong. The
    text of a `hidden` setting is never shown in a message: a secret may have been put there.
    """

    env: str
    chart: str | None
    default: str
    help: str
    read: Callable[[str], Any] = str
    hidden: bool = False


def setting_field(**record: Any) -> Any:
    """A dataclass field that carries the record of its setting."""
    return field(metadata={RECORD: Setting(**record)})
