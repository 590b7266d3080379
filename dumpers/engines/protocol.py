"""The seam between the pipeline and a database engine."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from dumpers.streams.reader import Reader

if TYPE_CHECKING:
    from dumpers.contract.connection import Connection
    from dumpers.contract.jobs import DumpJob
    from dumpers.runtime.errors import KsnapshotError
    from dumpers.runtime.interrupt import Interrupt


def _never(_: "KsnapshotError") -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What was found out about the database before dumping.

    `estimate` is the expected size of the dump in bytes before compression, 0 when unknown;
    `notes` go to log and manifest, `metadata` to the manifest. `parallel` is how many streams of a
    lane are read at a time.
    """

    server_version: str
    tool_version: str
    estimate: int
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parallel: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpStream:
    """One object to be stored: its name in the key, its file ending, and how to read it.

    `part` is a path that tells apart what is stored of one name in parts, such as its tables.
    `estimate` is the expected number of bytes before compression; 0 when nothing is known. Streams
    of one `lane`, such as a shard, are read some at a time, lanes beside each other. `metadata` is
    what the manifest says of it besides: asked once all streams are stored, raising as readers do
    where the dump turns out not to be whole. `again` is asked after SourceFailedError of either:
    whether opening it once more, from its start, may go better.
    """

    name: str
    part: tuple[str, ...] = ()
    ending: str
    estimate: int
    open: "Callable[[Interrupt], AbstractContextManager[Reader]]"
    concurrency_group: str = ""
    metadata: Callable[[], Mapping[str, Any]] = dict
    can_retry: "Callable[[KsnapshotError], bool]" = _never


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDump:
    """One object of a backup, as its manifest names it, in the order of the manifest.

    `size` is in bytes before compression, `metadata` what the stream said. Its reader raises unless
    its end is proven by the manifest's sha256.
    """

    name: str
    part: tuple[str, ...] = ()
    ending: str
    size: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    open: "Callable[[], AbstractContextManager[Reader]]"


class Engine(Protocol):
    """The work of one engine, in the job that does it."""

    def preflight(self, job: "DumpJob", interrupt: "Interrupt") -> SourceInfo:
        """Log in and look, within seconds, before anything is written anywhere.

        Raises ConfigurationError, SourceRefusedError or SourceFailedError.
        """
        ...

    def streams(self, source: SourceInfo) -> AbstractContextManager[Sequence[DumpStream]]:
        """List what a dump consists of, at least one stream, to be read in this order.

        Nothing is started yet; leaving the context ends what streams have in common.
        """
        ...

    def restore(
        self, target: "Connection", pieces: Sequence[StoredDump], interrupt: "Interrupt"
    ) -> tuple[str, ...]:
        """Load a backup through the database's own client; what is worth a note is returned.

        Nothing is loaded where the target holds data already or is too old. In one transaction
        where the engine has such: a piece whose end is not proven then leaves nothing behind.
        Raises TargetRefusedError, TargetFailedError and what the pieces' readers raise.
        """
        ...

    def inspect(self, target: "Connection", interrupt: "Interrupt") -> Mapping[str, int]:
        """Count the rows of every table by its full name: what a drill compares.

        Raises TargetRefusedError or TargetFailedError.
        """
        ...
