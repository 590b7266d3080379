"""Running the scripts of a backup on a server of the target."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, tokens
from dumpers.engines.clickhouse.schema.rewriting import rewrite
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.errors import (
    FUNCTION_ALREADY_EXISTS,
    NAMED_COLLECTION_ALREADY_EXISTS,
    code_of,
)
from dumpers.engines.clickhouse.server.sql import literal
from dumpers.runtime.errors import KsnapshotError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_SHOWN = 120
# Of functions and named collections, which are not of any database: one exists already.
_EXISTING = frozenset((FUNCTION_ALREADY_EXISTS, NAMED_COLLECTION_ALREADY_EXISTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRunner:
    """Runs statements; `names` are the databases' new names by their old ones, `notes` grow."""

    names: Mapping[str, str]
    interrupt: Interrupt
    notes: list[str]

    def run_all(
        self, server: Server, statements: Sequence[str]
    ) -> list[tuple[str, KsnapshotError]]:
        """Run what does not exist yet, in rounds while fewer fail; return what still fails."""
        left = [text for text in map(self.rename, statements) if text]
        while True:
            failed = list[tuple[str, KsnapshotError]]()
            for statement in left:
                try:
                    if not self._exists(server, statement):
                        server.run(statement, self.interrupt)
                except (TargetFailedError, TargetRefusedError) as error:
                    if code_of(error) in _EXISTING:
                        self.notes.append(f"left as it was on {server.where}: {shown(statement)}")
                    else:
                        failed.append((statement, error))
            if not failed or len(failed) == len(left):
                return failed
            left = [statement for statement, _ in failed]

    def rename(self, statement: str) -> str:
        """Rewrite a statement for its database's new name; empty, with a note, if impossible."""
        create = ddl.parse(statement)
        if create is None:
            return statement
        place = create.name if create.object == "DATABASE" else create.database
        old = create.tokens[place].value if place is not None else ""
        new = self.names.get(old, old)
        if new == old:
            return statement
        if create.names_elsewhere(old):
            self.notes.append(
                f"not created, as it speaks of the database {old!r} by that name: "
                f"{shown(statement)}"
            )
            return ""
        # A table whose path in Keeper is made of its id needs another id under the new name, the
        # same one on every server.
        own, inner = (*(_derived(id_, new) for id_ in create.ids), "", "")[:2]
        return rewrite(statement, database=new, id_=own, inner_id=inner)

    def _exists(self, server: Server, statement: str) -> bool:
        """Whether what a statement creates exists; False if that is neither table nor database."""
        create = ddl.parse(statement)
        if create is None:
            return False
        name = create.tokens[create.name].value
        if create.object == "DATABASE":
            query = f"SELECT name FROM system.databases WHERE name = {literal(name)}"  # noqa: S608  quoted
        else:
            database = create.tokens[create.database].value if create.database else ""
            query = (
                f"SELECT name FROM system.tables WHERE name = {literal(name)} "  # noqa: S608  quoted
                f"AND database = {literal(database)}"
            )
        return server.rows(query, self.interrupt) != []


def _derived(id_: str, database: str) -> str:
    """Another id for the database's new name, the same on every server."""
    return str(uuid.uuid5(uuid.UUID(id_), database))


def shown(statement: str) -> str:
    """The beginning of a statement without its texts: some hold passwords."""
    words = ("'…'" if one.kind is TokenKind.STRING else one.text for one in tokens(statement))
    return " ".join("".join(words).split())[:_SHOWN]
