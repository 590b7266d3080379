"""What a Job says of its own end, in its termination message."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Protocol, TypeVar

from controller.client.jobs.progress import JobEnd, Outcome
from controller.runs.reasons import RunReason
from dumpers.runtime.errors import InterruptedRunError


class Result(Protocol):
    """What the dataclasses of all kinds of Jobs' results have; see dumpers.contract."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

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


def result_of(end: JobEnd, read: Callable[[str], T]) -> T | None:
    """The result of a Job that was followed to its end, as `read_result` has it.

    One that was told to stop does not know that it was the deadline of its Job.
    """
    result = read_result(end.message, read)
    if result and end.is_late and result.reason == InterruptedRunError.reason:
        return replace(result, reason=str(RunReason.DEADLINE_EXCEEDED))
    return result


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
