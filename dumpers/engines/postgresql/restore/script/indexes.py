"""Taking a dump apart where indexes begin, so that they can be built side by side; pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.engines.postgresql.restore.belonging import Name, names_in
from dumpers.engines.postgresql.restore.script.toc import BEGINNING, STORED, Entry, Toc
from dumpers.engines.postgresql.restore.script.transaction import (
    begun_in_one_transaction,
    together,
)
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import Reader

# Each reads one table and makes one index; none needs another.
_INDEX = "INDEX"
_SIDE_BY_SIDE = frozenset((_INDEX, "CONSTRAINT"))
# Of a smaller table an index takes less than the start of the client that asks for it.
_SMALL_BYTES = 8 << 20
_MOST_OF_A_JOB = 100
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """An entry behind the rows, and the session's settings that stand before it."""

    entry: Entry
    settings: bytes

    @property
    def is_side_by_side(self) -> bool:
        """Whether it is an index, or a constraint that is one."""
        return self.entry.kind in _SIDE_BY_SIDE


@dataclass(kw_only=True)
class SplitDump:
    """A plain dump in two: all before its first index, read as it comes, and what is behind it."""

    toc: Toc
    _beginning: bytes = b""
    _settings: dict[bytes, bytes] = field(default_factory=dict)

    def first(self) -> Reader:
        """All before the first index, as one transaction; to be read before `rest`."""
        return begun_in_one_transaction(self.toc, before=_SIDE_BY_SIDE, seen=self._see)

    def rest(self) -> list[Definition]:
        """What is behind it, to the proven end.

        Raises TargetRefusedError where that is more than definitions.
        """
        found, size = list[Definition](), 0
        while entry := self.toc.next():
            size += len(entry.text)
            if entry.kind in STORED or size > _MOST_BYTES:
                raise TargetRefusedError(
                    "the dump has rows behind its indexes, which several sessions cannot load: "
                    "restore without --parallelism"
                )
            found.append(Definition(entry=entry, settings=self._head()))
            self._see(entry)
        return found

    def script(self, definitions: Sequence[Definition]) -> Reader:
        """These definitions as one transaction, each under its settings, of any session."""

        def parts() -> Iterator[bytes]:
            yield self._beginning
            for definition in definitions:
                yield definition.settings
                yield definition.entry.text

        return together(parts())

    def _head(self) -> bytes:
        return b"".join(self._settings.values())

    def _see(self, entry: Entry) -> None:
        if entry.kind == BEGINNING:
            self._beginning = entry.text
        else:
            for line in self.toc.settings.splitlines(keepends=True):
                self._settings[line.split()[1]] = line


def deal_out(
    definitions: Sequence[Definition], sizes: Mapping[Name, int]
) -> list[tuple[Definition, ...]]:
    """The jobs that build indexes, those of large tables first and each alone.

    `sizes` are the tables' in bytes. The small ones of a table are in one job, so that no two jobs
    wait for each other's locks. To add a constraint locks its table against all others, so these
    come last.
    """
    alone, small = list[tuple[int, Definition]](), dict[Name, list[Definition]]()
    for definition in definitions:
        if not definition.is_side_by_side:
            continue
        found = names_in(definition.entry.text) & sizes.keys()
        table = max(found, key=lambda name: (sizes[name], name), default=None)
        if table is None or sizes[table] > _SMALL_BYTES:
            alone.append((sizes[table] if table else 0, definition))
        else:
            small.setdefault(table, []).append(definition)
    alone.sort(key=lambda item: (item[1].entry.kind != _INDEX, -item[0]))
    return [*((definition,) for _, definition in alone), *_packed(small.values())]


def _packed(tables: Collection[Sequence[Definition]]) -> Iterator[tuple[Definition, ...]]:
    held = list[Definition]()
    for definitions in tables:
        if held and len(held) + len(definitions) > _MOST_OF_A_JOB:
            yield tuple(held)
            held = []
        held += definitions
    if held:
        yield tuple(held)
