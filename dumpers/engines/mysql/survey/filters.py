"""Which tables of a database are dumped, as the annotations ask."""

from collections.abc import Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.survey.schema import Table
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import SourceRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFilter:
    """The tables that were asked for; without any, all but the excluded ones.

    A name may stand alone or behind its database and a dot.
    """

    tables: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def within(self, database: str, databases: Sequence[str]) -> "TableFilter":
        """Return the part that concerns one of the databases: no names behind another database.

        Raises SourceRefusedError if tables were asked for, and none of this database.
        """
        others = tuple(f"{name}." for name in databases if name != database)
        tables = tuple(name for name in self.tables if not name.startswith(others))
        if self.tables and not tables:
            raise SourceRefusedError(
                f"none of the tables that were asked for is one of the database {database!r}: name "
                "some, or leave the database out"
            )
        excluded = tuple(name for name in self.excluded if not name.startswith(others))
        return TableFilter(tables=tables, excluded=excluded)


def choose(
    server: Server, database: str, table_filter: TableFilter, found: Sequence[Table]
) -> tuple[list[Table], list[Note]]:
    """Pick the tables that were asked for, with notes on exclusions that exclude nothing.

    Raises the server's refusal if a table that was asked for does not exist.
    """
    named: dict[str, list[Table]] = {}
    for table in found:
        for name in {server.fold(table.name), server.fold(f"{database}.{table.name}")}:
            named.setdefault(name, []).append(table)

    def fitting(names: Sequence[str]) -> frozenset[str]:
        return frozenset(table.name for name in names for table in named.get(server.fold(name), ()))

    chosen = list(found)
    if table_filter.tables:
        missing = [name for name in table_filter.tables if server.fold(name) not in named]
        if missing:
            raise server.errors.refused(
                f"the database {database!r} has not these tables that were asked for, or this "
                f"account may not see them: {abbreviate(missing)}"
            )
        asked = fitting(table_filter.tables)
        chosen = [table for table in found if table.name in asked]
    excluded = fitting(table_filter.excluded)
    chosen = [table for table in chosen if table.name not in excluded]
    unmatched = [
        name if name.startswith(f"{database}.") else f"{database}.{name}"
        for name in table_filter.excluded
        if server.fold(name) not in named
    ]
    if not unmatched:
        return chosen, []
    note = Note(
        code=NoteCode.NOTHING_MATCHED,
        text="these tables were to be left out, but there are none of these names",
        objects=tuple(unmatched),
    )
    return chosen, [note]
