"""What a dump tool warned of while it succeeded, as a note."""

from dumpers.contract.notes import Note, NoteCode

_WARNING = "warning"
_SHOWN = 10


def warning_notes(said: str, name: str) -> tuple[Note, ...]:
    """A note with the lines that are warnings, the tool's or the server's; none without any.

    `said` is all that the tool said, `name` that of its object.
    """
    lines = [line for line in said.splitlines() if _WARNING in line.lower()]
    if not lines:
        return ()
    more = len(lines) - _SHOWN
    shown = "; ".join(lines[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    return (Note(code=NoteCode.TOOL_WARNING, text=shown, objects=(name,)),)
