"""What everything reads from, and how readers are put together."""

from typing import Protocol


class Reader(Protocol):
    """A source of bytes that raises unless its end is proven: b"" means whole."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (any number if negative), b"" only at the proven end."""
        ...
