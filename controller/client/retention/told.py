"""Runs a Job that judges or deletes backups, and reads what it prints: one document a line."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from controller.client.cluster.connection import Connection
from controller.client.jobs.asked import create_job
from controller.client.jobs.follow import JobRef
from controller.client.jobs.following import failure_of, follow_lines
from controller.client.jobs.progress import JobEnd, Outcome
from controller.client.jobs.results import Result, result_of, words_of_failure
from controller.client.terminal.errors import CommandError
from controller.client.terminal.output import note
from controller.model.objects import Json

T = TypeVar("T", bound=Result)
Documents = Sequence[Mapping[str, Any]]
END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T]):
    """What a Job printed, and how it ended. `result` is None where it left none."""

    job: JobRef
    documents: Documents = field(repr=False)
    end: JobEnd
    result: T | None

    @property
    def has_succeeded(self) -> bool:
        """Whether the Job did all that it was to do."""
        return self.end.outcome is Outcome.SUCCEEDED

    def check(self, what: str) -> None:
        """Raise CommandError with the Job's own exit code where it failed."""
        if not self.has_succeeded:
            raise failure_of(self.job, self.end, what, words_of_failure(self.result))


def run_told(connection: Connection, body: Json, kind: str, read: Callable[[str], T]) -> Told[T]:
    """Run a Job to its end; `kind` is the member that marks its documents, `read` reads its result.

    A failure is told by the answer, and not raised: what was done before it is worth showing.
    """
    job = JobRef.of(create_job(connection.kubectl, body))
    note(f"started {job.name}")
    documents: list[Mapping[str, Any]] = []

    def on_line(text: str) -> None:
        if document := parse_document(text, kind):
            documents.append(document)

    end = follow_lines(connection, job, on_line)
    return Told(job=job, documents=documents, end=end, result=result_of(end, read))


def parse_document(text: str, kind: str) -> Mapping[str, Any] | None:
    """A document with the member `kind` in a line of a Job's log; None for any other line."""
    try:
        document = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(document, dict) and isinstance(document.get(kind), str)
    return document if is_ours else None


def check_whole(documents: Documents, kind: str, item: str, counted: int | None) -> None:
    """Raise CommandError unless all that a Job printed has arrived.

    `item` is the kind of document that is counted, `counted` how many the Job says that there are.
    """
    arrived = sum(document[kind] == item for document in documents)
    has_end = any(document[kind] == END for document in documents)
    if not has_end or counted is None or arrived != counted:
        known = "an unknown number" if counted is None else str(counted)
        raise CommandError(
            f"what the Job said did not come here as a whole: {arrived} of {known} backups arrived"
            " (its log was cut): try again"
        )
