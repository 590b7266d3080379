"""What a Job says of its own end, in its termination message."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from controller.client.jobs.progress import JobEnd, Outcome


class Result(Protocol):
    """What the results of all kinds of Jobs have; see dumpers.contract."""

    @property
    def succeeded(self) -> bool: ...  # noqa: D102  see the class
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    def to_json(self) -> str:
        """The termination message."""
        ...


T = TypeVar("T", bound=Result)


def read_result(message: str, read: Callable[[str], T]) -> T | None:
    """Read a termination message by the `from_json` of its kind; None if it is not understood."""
    try:
        return read(message)
    except ValueError:
        return None


def words_of_failure(result: Result | None) -> str:
    """Reason and message of a Job that failed; empty where it left no word of that."""
    if result is None or result.succeeded:
        return ""
    return f"{result.reason}: {result.message}"


def document_of_end(
    started: Mapping[str, Any], end: JobEnd, result: Result | None
) -> dict[str, Any]:
    """The end of a Job for a program: its result, what was known at its start, and the verdict."""
    told = json.loads(result.to_json()) if result else {}
    return {**told, **started, "succeeded": end.outcome is Outcome.SUCCEEDED}
