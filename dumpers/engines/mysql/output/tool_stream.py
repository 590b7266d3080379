"""The stream of what a dump tool writes."""

from collections.abc import Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note
from dumpers.engines.mysql.output.fingerprint import DUMP_FORM
from dumpers.engines.mysql.survey.second_look import SecondLook
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.engines.simple_stream import SimpleStream
from dumpers.engines.tool_warnings import warning_notes
from dumpers.runtime.errors import KsnapshotError
from dumpers.streams.fingerprint import Scanner
from dumpers.streams.tools.tool import ToolReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStream(SimpleStream):
    """A stream that tells of the tools' runs in `heard`, if there are any.

    With a `look` it may be read once more, without the tables that the tool could not open.
    `is_repeatable` says that an equal database is dumped alike.
    """

    heard: Sequence[ToolReader] = ()
    look: SecondLook | None = None
    is_repeatable: bool = True

    def can_retry(self, error: KsnapshotError) -> bool:
        """Whether a second look at the database may help."""
        return self.look is not None and self.look.may_help(error)

    def scanner(self) -> Scanner | None:
        """Return a scanner of SQL."""
        return ScriptScanner(DUMP_FORM) if self.is_repeatable else None

    def notes(self) -> Sequence[Note]:
        """Return what a second look found, and the tool's warnings of a dump that succeeded."""
        warnings = [
            note for tool in self.heard for note in warning_notes(tool.complaint, self.name)
        ]
        return [*(self.look.notes if self.look else ()), *warnings]
