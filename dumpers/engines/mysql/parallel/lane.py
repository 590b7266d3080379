"""A run of the dump tool that has begun its transaction, and waits at its gate to be read."""

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.held_tool import HeldToolReader

# What a tool has written of its first table: its transaction has begun before.
_BEGUN = b"\n-- Dumping data for table `"
_ROWS = (b"\nINSERT ", b"\nREPLACE ")


class Lane(HeldToolReader):
    """Its output, read by one reader at a time."""

    def has_begun(self) -> bool:
        """Whether the tool has got past its transaction's begin, by its output or its end.

        Where tables hold nothing, no gate is asked for.
        """
        return self._shows(_BEGUN) or self._process.poll() is not None

    def has_rows(self) -> bool:
        """Whether the tool has written rows that nobody has read yet, as far as it has come."""
        return any(self._shows(sign) for sign in _ROWS)

    def follow(self, interrupt: Interrupt) -> None:
        """Wait through this interrupt from now on."""
        self._interrupt = interrupt

    def _shows(self, sign: bytes) -> bool:
        with self._lock:
            self._read_ahead()
            return sign in b"".join(self._ahead)
