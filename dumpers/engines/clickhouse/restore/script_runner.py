"""Running the statements of a backup on a server of the target, under new names if any."""

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, tokens
from dumpers.engines.clickhouse.schema.names.naming import Naming
from dumpers.engines.clickhouse.schema.names.renaming import move_path, rename_references
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import (
    FUNCTION_ALREADY_EXISTS,
    NAMED_COLLECTION_ALREADY_EXISTS,
    code_of,
)
from dumpers.engines.clickhouse.server.sql import literal
from dumpers.engines.clickhouse.stored.contents import Statement
from dumpers.runtime.errors import KsnapshotError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_SHOWN = 120
_MARK = 8
# Of functions and named collections, which are not of any database: one exists already.
_EXISTING = frozenset((FUNCTION_ALREADY_EXISTS, NAMED_COLLECTION_ALREADY_EXISTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamer:
    """Puts new names into statements: `own` into the name of what is made, `references` elsewhere.

    What gets a new name gets a new path in Keeper and a new id, too, the same on every server: they
    end in `mark`, or where it is empty in what is made of the new name.
    """

    own: Naming
    references: Naming
    mark: str = ""

    def rename(self, statement: Statement) -> tuple[str, tuple[str, ...]]:
        """The statement under its new name, and the old full names that it still speaks of."""
        if statement.database:
            new = self.own.database(statement.database)
            text = statement.text
            return (text if new == statement.database else rewrite(text, database=new)), ()
        key = statement.key
        if key is None or not (self.own.changes or self.references.changes):
            return statement.text, ()
        renamed = rename_references(statement.text, self.references)
        new_database, new_name = self.own.table(key)
        if (new_database, new_name) == key:
            return renamed.text, renamed.left
        mark = self.mark or _mark_of(new_database)
        text = move_path(renamed.text, mark)
        create = ddl.parse(text)
        assert create is not None
        salt = new_database + self.mark
        own, inner = (*(str(uuid.uuid5(uuid.UUID(id_), salt)) for id_ in create.ids), "", "")[:2]
        name = "" if new_name == key[1] else new_name
        return (
            rewrite(text, database=new_database, name=name, id_=own, inner_id=inner),
            renamed.left,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRunner:
    """Runs statements on servers; `notes` grow by what was there already."""

    interrupt: Interrupt
    notes: list[str]

    def run_all(self, server: Server, texts: Iterable[str]) -> list[tuple[str, KsnapshotError]]:
        """Run what does not exist yet, in rounds while fewer fail; return what still fails."""
        left: Sequence[str] = [*texts]
        while True:
            failed = list[tuple[str, KsnapshotError]]()
            for text in left:
                try:
                    if not self._exists(server, text):
                        server.run(text, self.interrupt)
                except (TargetFailedError, TargetRefusedError) as error:
                    if code_of(error) in _EXISTING:
                        self.notes.append(f"left as it was on {server.where}: {shown(text)}")
                    else:
                        failed.append((text, error))
            if not failed or len(failed) == len(left):
                return failed
            left = [text for text, _ in failed]

    def _exists(self, server: Server, text: str) -> bool:
        """Whether what a statement creates exists; False if that is neither table nor database."""
        statement = Statement(text=text, create=ddl.parse(text))
        if statement.database:
            name = literal(statement.database)
            query = f"SELECT name FROM system.databases WHERE name = {name}"  # noqa: S608  quoted
        elif statement.key is not None:
            database, name = map(literal, statement.key)
            query = f"SELECT name FROM system.tables WHERE name = {name} AND database = {database}"  # noqa: S608  quoted
        else:
            return False
        return server.rows(query, self.interrupt) != []


def _mark_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_MARK]


def shown(statement: str) -> str:
    """The beginning of a statement without its texts: some hold passwords."""
    words = ("'…'" if one.kind is TokenKind.STRING else one.text for one in tokens(statement))
    return " ".join("".join(words).split())[:_SHOWN]
