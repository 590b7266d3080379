"""The seam between the pipeline and a database engine."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dumpers.contract import DumpJob
    from dumpers.interrupt import Interrupt


class Reader(Protocol):
    """A source of bytes that raises unless its end is proven: b"" means whole."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes (any number if negative), b"" only at the proven end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was found out about the database before dumping.

    `estimate` is the expected size of the dump in bytes before compression, 0 when unknown;
    `notes` go to log and manifest.
    """

    server_version: str
    tool_version: str
    estimate: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One object to be stored: its name in the key, its file ending, and how to read it.

    `estimate` is the expected number of bytes before compression; 0 when nothing is known.
    """

    name: str
    ending: str
    estimate: int
    open: "Callable[[Interrupt], AbstractContextManager[Reader]]"


class Engine(Protocol):
    """The work of one engine, in the job that does it."""

    def preflight(self, job: "DumpJob", interrupt: "Interrupt") -> Source:
        """Log in and look, within seconds, before anything is written anywhere.

        Raises ConfigurationError, SourceRefusedError or SourceFailedError.
        """
        ...

    def streams(self, job: "DumpJob", source: Source) -> tuple[Stream, ...]:
        """List what a dump consists of, at least one stream; nothing is started yet."""
        ...
