"""Choosing how many documents to ask for at a time, by their bytes and their number."""

from dataclasses import dataclass

# What a page is to hold, and what it may hold before it is asked for anew with fewer documents.
TARGET = 1 << 20
LARGEST = 2 << 20
_FIRST = 100
_GROWTH, _SHRINK = 2, 4


@dataclass(slots=True, kw_only=True)
class PageSize:
    """The number of documents of the next page, from 1 to `most`; `size` is in force."""

    most: int
    size: int

    @classmethod
    def begin(cls, most: int, *, average: int = 0) -> "PageSize":
        """Start with what fits by the documents' average size in bytes, 0 if nobody knows."""
        first = TARGET // average if average else _FIRST
        return cls(most=most, size=max(1, min(most, first)))

    def came(self, count: int, size: int) -> None:
        """A page came: grow towards the target, but slowly, as the next ones may be larger."""
        if count:
            fits = max(1, TARGET * count // max(1, size))
            self.size = max(1, min(self.most, self.size * _GROWTH, fits))

    def too_large(self) -> bool:
        """A page was larger than it may be: ask for less, if there is less to ask for."""
        if self.size == 1:
            return False
        self.size = max(1, self.size // _SHRINK)
        return True

    def refused(self) -> None:
        """The server has too much to do: ask for less."""
        self.size = max(1, self.size // _GROWTH)
