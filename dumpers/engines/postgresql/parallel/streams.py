"""The objects of a database that is dumped by several streams, all of one snapshot."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from dumpers.contract.notes import Note
from dumpers.engines.postgresql.catalog.patterns import quote_patterns
from dumpers.engines.postgresql.fingerprint import PLAIN_FORM
from dumpers.engines.postgresql.heads import ChangedHead, head_changes
from dumpers.engines.postgresql.names import as_argument
from dumpers.engines.postgresql.parallel.holding import Held
from dumpers.engines.postgresql.parallel.parts import DATA, POST_DATA, PRE_DATA, part_name
from dumpers.engines.postgresql.parallel.plan import Share
from dumpers.engines.postgresql.parallel.script import Form, copy_script
from dumpers.engines.postgresql.parallel.snapshot import Snapshot
from dumpers.engines.postgresql.streams import DatabaseStream
from dumpers.engines.protocol import DumpStream
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.fingerprint import Scanner
from dumpers.streams.reader import Reader

# pg_dump's are begun first: each locks tables anew, behind whoever has come to wait for one.
_PRE, _POST, _REST, _ROWS = range(4)


def section_arguments(section: str, taken: Sequence[tuple[str, str]], encoding: str) -> list[str]:
    """The arguments of a pg_dump of one section, without the rows of the tables `taken`.

    These are (schema, name).
    """
    left_out = quote_patterns(taken) if section == DATA else []
    arguments = [f"--exclude-table-data={pattern}" for pattern in left_out]
    return [f"--section={section}", *(as_argument(text, encoding) for text in arguments)]


@dataclass(kw_only=True)
class _Part:
    """One of the streams of a database, of which `whole` is the stream as one."""

    whole: DatabaseStream
    snapshot: Snapshot
    part: tuple[str, ...]
    begins: int
    concurrency_group: str = ""

    @property
    def name(self) -> str:
        """The database."""
        return self.whole.name

    @property
    def ending(self) -> str:
        """The ending of plain SQL."""
        return self.whole.ending

    def can_retry(self, _error: KsnapshotError) -> bool:
        """Return False: a snapshot is not there twice."""
        return False


@dataclass(kw_only=True)
class SectionStream(_Part):
    """A section of a database by pg_dump: all that stands before the rows, behind them, or rows.

    Of the rows, those of the snapshot's tables are left out. `told` are the notes of all sections
    so far: one of each is enough.
    """

    section: str
    estimate: int = 0
    known_metadata: Mapping[str, Any] = field(default_factory=dict)
    told: set[Note] = field(default_factory=set)
    _opened: DatabaseStream | None = None

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Run pg_dump by the snapshot."""
        with self.snapshot.used(interrupt) as held:
            names = [(table.schema, table.name) for table in held.tables.values()]
            self._opened = replace(
                self.whole,
                arguments=[
                    *self.whole.arguments,
                    *section_arguments(self.section, names, self.whole.encoding),
                    f"--snapshot={held.name}",
                ],
            )
            with self._opened.open(interrupt) as reader:
                yield self.snapshot.watched(reader, interrupt)

    def metadata(self) -> Mapping[str, Any]:
        """Return the known metadata."""
        return self.known_metadata

    def notes(self) -> Sequence[Note]:
        """Return pg_dump's warnings, as far as no other section had the same ones."""
        notes = self._opened.notes() if self._opened else ()
        new = [note for note in notes if note not in self.told]
        self.told.update(new)
        return new

    def scanner(self) -> Scanner | None:
        """Return a scanner, where the options leave the dump repeatable."""
        return self.whole.scanner()


@dataclass(kw_only=True)
class RowsStream(_Part):
    """Rows of some tables, or of a range of one, by COPY, in the form of a plain dump."""

    form: Form
    share: Share
    _held: Held | None = None

    @property
    def estimate(self) -> int:
        """The size of what is read."""
        return self.share.size

    @contextmanager
    def open(self, interrupt: Interrupt) -> Iterator[Reader]:
        """Read the rows in one of the snapshot's sessions."""
        with self.snapshot.used(interrupt) as held:
            self._held = held
            found = [
                (held.tables[piece.oid], piece)
                for piece in self.share.pieces
                if piece.oid in held.tables
            ]
            script = copy_script(found, self.form)
            with self.snapshot.lane(interrupt) as lane, lane.read_out(script, interrupt) as reader:
                changes = head_changes(
                    unknown_setting=False, path=self.whole.path, encoding=self.form.encoding
                )
                changed = ChangedHead(reader, changes) if changes else reader
                yield self.snapshot.watched(changed, interrupt)

    def metadata(self) -> Mapping[str, Any]:
        """Return the section, and the tables as (schema, name)."""
        tables = self._held.tables if self._held else {}
        found = [tables[piece.oid] for piece in self.share.pieces if piece.oid in tables]
        return {"section": DATA, "tables": [[table.schema, table.name] for table in found]}

    def scanner(self) -> Scanner | None:
        """Return a scanner: rows of COPY are repeatable, whatever pg_dump's options are."""
        return ScriptScanner(PLAIN_FORM)


def split_streams(
    whole: DatabaseStream, snapshot: Snapshot, shares: Sequence[Share], form: Form, *, begins: int
) -> list[DumpStream]:
    """The streams of one database in the order of a load: definitions, rows, then the rest.

    `snapshot` is used as often as there are streams. `begins` is that of the first one to begin.
    """
    rest = max(whole.estimate - sum(share.size for share in shares), 0)
    count, told = len(shares) + 3, set[Note]()

    def section(name: str, begins: int, estimate: int, known: Mapping[str, Any]) -> SectionStream:
        return SectionStream(
            whole=whole,
            snapshot=snapshot,
            section=name,
            part=(part_name(name),),
            begins=begins,
            estimate=estimate,
            known_metadata={**known, "section": name},
            told=told,
        )

    return [
        section(PRE_DATA, begins + _PRE, 0, {**whole.known_metadata, "parts": count}),
        section(DATA, begins + _REST, rest, {}),
        *(
            RowsStream(
                whole=whole,
                snapshot=snapshot,
                form=form,
                share=share,
                part=(part_name(DATA, number),),
                begins=begins + _ROWS,
            )
            for number, share in enumerate(shares, start=1)
        ),
        section(POST_DATA, begins + _POST, 0, {}),
    ]
