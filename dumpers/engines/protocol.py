"""The seam between the pipeline and a database engine."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dumpers.contract.notes import Note
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.sharing import Part
from dumpers.streams.fingerprint import Scanner
from dumpers.streams.reader import Reader

if TYPE_CHECKING:
    from dumpers.contract.connection import Connection, DumpSource
    from dumpers.runtime.errors import KsnapshotError
    from dumpers.runtime.interrupt import Interrupt

# A whole backup, into a target that holds nothing of it.
WHOLE = RestoreRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """Facts about the database, known before its dump begins.

    `estimate` is the expected size of the dump in bytes before compression, 0 when unknown.
    `notes` go to log, manifest and result, `metadata` to the manifest. `parallel` is how many
    streams of one concurrency group may be read at a time.
    """

    server_version: str
    tool_version: str
    estimate: int
    notes: tuple[Note, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parallel: int = 1


class DumpStream(Protocol):
    """One object to be stored: its name in the key, its file ending, and how its bytes are read.

    `part` is a path that tells apart several objects of one `name`, such as a database's tables.
    `estimate` is the expected number of bytes before compression, 0 when unknown. At most
    `SourceInfo.parallel` streams of one `concurrency_group`, such as a shard, are read at a time;
    different groups are read side by side.

    A stream may be opened again, and every opening reads the whole object from its start. The
    pipeline opens a stream again only after SourceFailedError, from reading or from `metadata`,
    and only if `can_retry` returned True for that error. Nothing is opened twice at a time.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  see the class
    @property
    def part(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def ending(self) -> str: ...  # noqa: D102
    @property
    def estimate(self) -> int: ...  # noqa: D102
    @property
    def concurrency_group(self) -> str: ...  # noqa: D102

    def open(self, interrupt: "Interrupt") -> AbstractContextManager[Reader]:
        """Read the object from its start; leaving the context ends everything begun for it.

        The reader returns b"" only once the object is proven whole. Opening and reading raise
        SourceFailedError (may heal), SourceRefusedError (will not) and InterruptedRunError.
        """
        ...

    def metadata(self) -> Mapping[str, Any]:
        """Return the stream's metadata for the manifest, once all streams were uploaded.

        Raises SourceFailedError if the server now reports that the object is incomplete.
        """
        ...

    def can_retry(self, error: "KsnapshotError") -> bool:
        """Whether another `open` may go better after this error, of reading or of `metadata`.

        An engine with several replicas of the same rows moves on to the next one here.
        """
        ...


@runtime_checkable
class NotedStream(Protocol):
    """A DumpStream that may learn, while it is read, what its object lacks."""

    def notes(self) -> Sequence[Note]:
        """Return the notes of the last reading, once all streams were uploaded."""
        ...


@runtime_checkable
class PlacedStream(Protocol):
    """A DumpStream that is begun in another order than it is loaded: the lowest `begins` first."""

    @property
    def begins(self) -> int: ...  # noqa: D102  see the class


@runtime_checkable
class FingerprintedStream(Protocol):
    """A DumpStream that an equal database writes again, but for what its scanner leaves out."""

    def scanner(self) -> Scanner | None:
        """Return what takes the fingerprint of the next reading; None where nothing can."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """A database that was looked at and is ready to be read.

    `streams` are the objects of the dump, at least one, in the order in which a restore loads
    them. With `info.parallel` 1 and one concurrency group, they are read in that order, too, unless
    one is a PlacedStream. `part` says what they are of a run that pods share, None for all of it.
    """

    info: SourceInfo
    streams: Sequence[DumpStream]
    part: Part | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDump:
    """One object of a backup, as its manifest names it, in the order of the manifest.

    `size` is in bytes before compression, `metadata` is what DumpStream.metadata returned. Its
    reader raises unless its end is proven by the manifest's sha256.
    """

    name: str
    part: tuple[str, ...] = ()
    ending: str
    size: int
    metadata: Mapping[str, Any] = field(default_factory=dict)
    open: "Callable[[], AbstractContextManager[Reader]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore will do to its target, known before its first byte.

    `actions` are sentences for a person, without their full stops, in the order in which they
    happen: what is created, replaced, renamed, dropped. `creates` holds full names of what is
    loaded as (name in the backup, name in the target), of databases, or of tables and indices where
    those are restored one by one. `size` is the bytes before compression that will be read.
    """

    server_version: str
    actions: tuple[str, ...]
    creates: tuple[tuple[str, str], ...]
    size: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did. `notes` are sentences on what is not as a person may expect it.

    `creates` is as in RestorePlan. `kept` holds, after a SWAP, (live name, name under which what it
    replaced is kept), for `undo` and `forget`.
    """

    notes: tuple[str, ...] = ()
    creates: tuple[tuple[str, str], ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


class DumpEngine(Protocol):
    """The part of an engine that dumps; see Engine."""

    def open(self, job: "DumpSource", interrupt: "Interrupt") -> AbstractContextManager[Dump]:
        """Log in and look at the database, within seconds, before anything is written anywhere.

        No stream has been started when the context is entered; leaving the context ends what
        streams share, such as a dump tool that several of them are cut from. Entering raises
        ConfigurationError, SourceRefusedError, SourceFailedError or InterruptedRunError.
        """
        ...


class Engine(DumpEngine, Protocol):
    """The work of one database engine, in the job that does it.

    Retry: an engine does not repeat a failed operation by itself, except where its own docstring
    says so; the pipeline repeats streams (see DumpStream), and Kubernetes repeats the whole job
    after errors that may heal.

    Idempotence: `open` and `inspect` change no data and no settings, but may make visible what was
    written already, as a refresh does. `restore` loads into an empty target only, so that a
    repeated restore is refused instead of doubling rows.

    Errors: configuration faults are ConfigurationError. Of the source, SourceFailedError may heal
    by itself and SourceRefusedError needs a person; of a target TargetFailedError and
    TargetRefusedError. Everything that waits raises InterruptedRunError when the run has to stop.
    No message holds a secret.
    """

    def plan_restore(
        self,
        target: "Connection",
        pieces: Sequence[StoredDump],
        interrupt: "Interrupt",
        request: RestoreRequest,
    ) -> RestorePlan:
        """Check everything that can be known before the first byte, and change nothing.

        The target is reachable, is not older than what the backup needs, and lets this login write;
        what is asked for is in the backup; nothing is in the way that `request.mode` may not
        replace. No piece is opened, except those that hold structure only. Raises
        TargetRefusedError and TargetFailedError.
        """
        ...

    def restore(
        self,
        target: "Connection",
        pieces: Sequence[StoredDump],
        interrupt: "Interrupt",
        request: RestoreRequest = WHOLE,
    ) -> Restored:
        """Do what `plan_restore` says, through the database's own client.

        With EMPTY, nothing is loaded where the target holds data already or is too old. What a
        target held is untouched until the backup was read to its proven end. Engines that have
        transactions around a schema load in one, so that a piece whose end is not proven leaves
        nothing behind; others name what a restore that failed has left. Raises TargetRefusedError,
        TargetFailedError and what the pieces' readers raise; each message says whether the target
        may be partial.
        """
        ...

    def undo(
        self, target: "Connection", kept: Sequence[tuple[str, str]], interrupt: "Interrupt"
    ) -> None:
        """Exchange what a SWAP put in place for what it kept, in one step; may be called again.

        Raises TargetRefusedError where one of the names is gone, and TargetFailedError.
        """
        ...

    def forget(self, target: "Connection", names: Sequence[str], interrupt: "Interrupt") -> None:
        """Drop what a restore loaded beside, or kept; names that are gone already are fine."""
        ...

    def inspect(self, target: "Connection", interrupt: "Interrupt") -> Mapping[str, int]:
        """Count the rows of every table by its full name; a drill sees so that its server answers.

        Raises TargetRefusedError or TargetFailedError.
        """
        ...
