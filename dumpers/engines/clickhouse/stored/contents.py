"""What a backup holds: the statements of its scripts, and the rows of its tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dumpers.engines.clickhouse.logical.stored_rows import read_blocks
from dumpers.engines.clickhouse.schema import ddl, scripts
from dumpers.engines.clickhouse.schema.ddl import Create
from dumpers.engines.clickhouse.schema.names.naming import Key
from dumpers.engines.protocol import StoredDump


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of a script; `create` is None for what makes neither table nor database."""

    text: str
    create: Create | None

    @property
    def key(self) -> Key | None:
        """The table, view or dictionary that it makes."""
        if self.create is None or self.create.object == "DATABASE":
            return None
        place = self.create.database
        database = self.create.tokens[place].value if place is not None else ""
        return database, self.create.tokens[self.create.name].value

    @property
    def database(self) -> str:
        """The database that it makes; empty if it makes none."""
        if self.create is None or self.create.object != "DATABASE":
            return ""
        return self.create.tokens[self.create.name].value

    @property
    def is_view(self) -> bool:
        """Whether it makes a view of any kind."""
        return self.create is not None and self.create.object == "VIEW"

    @property
    def is_materialized(self) -> bool:
        """Whether it makes a view that is filled by what is inserted elsewhere, or by the clock."""
        create = self.create
        return (
            create is not None
            and create.object == "VIEW"
            and any(
                token.is_word("MATERIALIZED") for token in create.tokens[create.verb : create.name]
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The statements of a kind, of the servers with these labels."""

    kind: str
    labels: tuple[str, ...]
    statements: tuple[Statement, ...]
    release: str = ""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All of a backup; `pieces` are its objects in the order in which they load."""

    pieces: Sequence[StoredDump]
    scripts: Mapping[int, Script]
    """The script of each piece that is one, by its place among the pieces."""

    @cached_property
    def rows(self) -> Mapping[Key, Sequence[Mapping[str, Any]]]:
        """What the manifest says of each table that has rows, or could have: once for each place.

        What another object has, too, is not in it.
        """
        found: dict[Key, list[Mapping[str, Any]]] = {}
        for piece in self.pieces:
            for table in piece.metadata.get("tables", ()):
                said = found.setdefault((table["database"], table["table"]), [])
                if not piece.metadata.get("redundant"):
                    said.append(table)
        return found

    @cached_property
    def made(self) -> Mapping[Key, Statement]:
        """The first statement that makes each table, view and dictionary."""
        found: dict[Key, Statement] = {}
        for script in self.scripts.values():
            for statement in script.statements:
                if statement.key is not None:
                    found.setdefault(statement.key, statement)
        return found

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """All tables, views and dictionaries, in no order but always the same."""
        return tuple(sorted({*self.made, *self.rows}))

    @cached_property
    def databases(self) -> tuple[str, ...]:
        """All databases with tables of their own, those without any, too."""
        empty = {
            statement.database
            for script in self.scripts.values()
            if script.kind == scripts.TABLES_SCRIPT
            for statement in script.statements
            if statement.database
        }
        return tuple(sorted(empty | {database for database, _ in self.keys}))

    @property
    def labels(self) -> Sequence[str]:
        """The labels of the servers that were dumped; none where no script says so."""
        return [
            label
            for script in self.scripts.values()
            if script.kind == scripts.TABLES_SCRIPT
            for label in script.labels
        ]

    @property
    def release(self) -> str:
        """The newest release among the servers that were dumped; empty where it is not known."""
        return max((script.release for script in self.scripts.values()), key=numbers, default="")


def numbers(release: str) -> tuple[int, ...]:
    """The numbers of a release, which compare."""
    return tuple(int(part) for part in release.split(".")[:2] if part.isdigit())


def read_contents(pieces: Sequence[StoredDump]) -> Contents:
    """Read the scripts of a backup; no rows."""
    return Contents(pieces=pieces, scripts=dict(_scripts(pieces)))


def _scripts(pieces: Sequence[StoredDump]) -> Iterator[tuple[int, Script]]:
    for place, piece in enumerate(pieces):
        kind = piece.metadata.get("script")
        if kind is None:
            continue
        with piece.open() as reader:
            text = b"".join(read_blocks(reader)).decode()
        statements = tuple(
            Statement(text=one, create=ddl.parse(one)) for one in scripts.statements(text)
        )
        yield (
            place,
            Script(
                kind=kind,
                labels=tuple(piece.metadata["replicas"]),
                statements=statements,
                release=piece.metadata.get("release", ""),
            ),
        )
