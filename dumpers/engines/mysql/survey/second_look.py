"""Asking about a database once more, where the dump tool met a table that cannot be opened.

With InnoDB's own lists a survey opens few tables. So a table whose file or definition is damaged is
met by the tool only, which ends there.
"""

from collections.abc import Callable
from dataclasses import replace

from dumpers.contract.notes import Note
from dumpers.engines.mysql.errors import is_unopened
from dumpers.engines.mysql.survey.database import Survey
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command


class SecondLook:
    """The survey that a database is dumped by: `first`, and after the tool's error another.

    `thorough` makes the other one, for which the server opens every table. `notes` are those that
    only the other one has.
    """

    def __init__(self, first: Survey, thorough: Callable[[Interrupt], Survey]) -> None:
        self._first = first
        self._thorough = thorough
        # What the tool's error would be, and what it was: masked, and such that may heal.
        self._kind: type[KsnapshotError] = SourceFailedError
        self._error: KsnapshotError | None = None
        self.notes: tuple[Note, ...] = ()

    def watched(self, command: Command) -> Command:
        """Return the tool's command; its first error over such a table is one that may heal."""
        if self._error is not None:
            return command

        def failure(status: int, said: str) -> KsnapshotError:
            error = command.failure(status, said)
            if not is_unopened(said):
                return error
            self._kind = type(error)
            return SourceFailedError(str(error))

        return replace(command, failure=failure)

    def may_help(self, error: KsnapshotError) -> bool:
        """Whether a second dump, by another survey, may go better after this error of the first."""
        if self._error is not None or not is_unopened(str(error)):
            return False
        self._error = error
        return True

    def survey(self, interrupt: Interrupt) -> Survey:
        """Return the survey to dump by.

        Raises the tool's error where the second look finds nothing that the first had not found,
        SourceRefusedError where what it finds was asked for by its name, SourceFailedError.
        """
        if self._error is None:
            return self._first
        found = self._thorough(interrupt)
        if set(found.left_out) <= set(self._first.left_out):
            raise self._kind(str(self._error)) from self._error
        self.notes = tuple(_learned(self._first.notes, found.notes))
        return found


def _learned(known: tuple[Note, ...], found: tuple[Note, ...]) -> list[Note]:
    told = {(note.code, note.text, one) for note in known for one in note.objects}
    learned = []
    for note in found:
        objects = tuple(one for one in note.objects if (note.code, note.text, one) not in told)
        if objects:
            learned.append(replace(note, objects=objects))
    return learned
