"""Taking chosen tables out of a plain dump, with all that belongs to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dumpers.engines.names import abbreviate
from dumpers.engines.postgresql.clients import quote_identifier
from dumpers.engines.postgresql.restore.belonging import Belonging, find_chosen, settings_of
from dumpers.engines.postgresql.restore.script.toc import BEGINNING, END, ROWS, STORED, Entry, Toc
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import IterReader, Reader

# Of those that come behind all definitions of tables, one of these is the first.
_LATER = frozenset(
    (
        *(ROWS, "SEQUENCE SET", "BLOB", "BLOBS", "BLOB METADATA", "STATISTICS DATA"),
        *("CONSTRAINT", "FK CONSTRAINT", "INDEX", "TRIGGER", "RULE", "ACL", END),
    )
)
# A table's lock is waited for so long: the application may go on, or the restore fails.
_LOCK_SECONDS = 30


@dataclass(kw_only=True)
class TableCut:
    """Tables to take out of a dump, into a database that holds nothing yet (`is_bare`) or others.

    With `replaces`, tables of these names are dropped first, in the same transaction. `notes` says,
    once the dump was read, what was left out.
    """

    wanted: Sequence[str]
    is_bare: bool
    replaces: bool
    notes: list[str] = field(default_factory=list)

    def reader(self, source: Reader) -> Reader:
        """The part of a plain dump that makes the tables; ends proven as the dump does."""
        return IterReader(self._parts(Toc(source)))

    def _parts(self, toc: Toc) -> Iterator[bytes]:
        held: list[Entry] = []
        entry = toc.next()
        while entry is not None and entry.kind not in _LATER:
            held.append(entry)
            entry = toc.next()
        belonging = find_chosen(held, self.wanted, is_bare=self.is_bare)
        for one in held:
            if one.kind == BEGINNING:
                yield one.text
                if self.replaces:
                    yield _drop(held, belonging)
            else:
                yield one.text if belonging.has(one) else settings_of(one.text)
        yield from _later(toc, entry, belonging)
        if belonging.left_out:
            self.notes.append(
                "of the chosen tables, what needs others that are not chosen was left out: "
                f"{abbreviate(belonging.left_out)}"
            )


def _later(toc: Toc, entry: Entry | None, belonging: Belonging) -> Iterator[bytes]:
    """What is stored and what comes behind it, from this entry on."""
    is_whole = False
    while entry is not None:
        is_whole = entry.kind == END
        is_kept = is_whole or belonging.has(entry)
        yield entry.text if is_kept else settings_of(entry.text)
        if entry.kind in STORED:
            # All of it is read in any case, for its end to be proven.
            for part in toc.rest():
                if is_kept:
                    yield part
            if not is_kept:
                yield toc.settings
        entry = toc.next()
    if not is_whole:
        # A table behind it would be missing without a word.
        raise TargetRefusedError(
            "the dump does not end as pg_dump's do, so tables cannot be taken out of it: restore "
            "all of it"
        )


def _drop(held: Sequence[Entry], belonging: Belonging) -> bytes:
    """SQL that drops the tables; what depends on them keeps them, and all is as it was."""
    lines = [f"SET lock_timeout = '{_LOCK_SECONDS}s';"]
    names = {
        kind: [
            ".".join(map(quote_identifier, (one.schema, one.name)))
            for one in held
            if one.kind == kind and (one.schema, one.name) in belonging.chosen
        ]
        for kind in ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE")
    }
    lines += [
        f"DROP {kind} IF EXISTS {', '.join(listed)};" for kind, listed in names.items() if listed
    ]
    return "".join(f"{line}\n" for line in (*lines, "RESET lock_timeout;")).encode()
