"""The seam between a drill and a database engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.protocol import StoredDump

if TYPE_CHECKING:
    from dumpers.contract.connection import Connection
    from dumpers.contract.restore.request import RestoreRequest
    from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledObject:
    """One object of the backup that a drill has restored.

    `fingerprint` is what its dump recorded while its bytes passed, None where it recorded none.
    `server_version` and `tool_version` are those of the dump, as SourceInfo has them, empty where
    they are not known.
    """

    stored: StoredDump
    fingerprint: Fingerprint | None
    server_version: str = ""
    tool_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVerdict:
    """One table, or index of a search engine, by its full name; `why` says how it differs.

    `rows` are those that the restored server has, None where they were not counted.
    """

    name: str
    rows: int | None
    good: bool
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the throwaway server holds what the backup holds.

    `method` says in a few words what was compared, and is empty where nothing was. `faults` are
    sentences on what differs besides the tables, such as structure; `unproved` are sentences on
    what this comparison cannot see.
    """

    method: str
    tables: tuple[TableVerdict, ...]
    faults: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return bool(self.method) and not self.faults and all(table.good for table in self.tables)


@runtime_checkable
class DrilledEngine(Protocol):
    """The part of an engine that a drill needs besides `restore`; see protocol.Engine."""

    def prepare_drill(
        self, server: "Connection", objects: Sequence[DrilledObject], interrupt: "Interrupt"
    ) -> "RestoreRequest | None":
        """Make an empty throwaway server ready for `restore`, once it answers.

        Returns what `restore` is to be asked for, in mode EMPTY; None for the whole backup. It may
        be called again after it has failed. Raises TargetRefusedError where the backup cannot be
        restored into a server such as this one, as one of another major version.
        """
        ...

    def compare(
        self,
        server: "Connection",
        objects: Sequence[DrilledObject],
        options: Mapping[str, str],
        interrupt: "Interrupt",
    ) -> Comparison:
        """Compare what was restored with what is stored; nothing else has written to the server.

        `options` are the variables of the engine's options that the dump was made with. Objects may
        be opened again. What differs is in the Comparison, not an error; raises TargetFailedError
        where the server does not answer, and what the objects' readers raise.
        """
        ...


@runtime_checkable
class LoadingEngine(Protocol):
    """A DrilledEngine whose objects are loaded under settings of their own."""

    def objects_to_load(
        self, server: "Connection", objects: Sequence[DrilledObject], interrupt: "Interrupt"
    ) -> Sequence[StoredDump]:
        """The objects, in their order, as `restore` is to have them, after `prepare_drill`.

        Opening one may change how the server reads it, and raise the target's errors.
        """
        ...
