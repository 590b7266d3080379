"""What a backup of ClickHouse should hold of its tables, and does not."""

from collections.abc import Mapping, Sequence
from typing import Any

from dumpers.engines.clickhouse.logical.stored_rows import has_rows
from dumpers.engines.clickhouse.schema.names.naming import Key
from dumpers.engines.clickhouse.schema.table import Column
from dumpers.engines.clickhouse.schema.table_engines import (
    TableTreatment,
    by_engine,
    is_replicated,
)
from dumpers.engines.clickhouse.stored.contents import Contents, Statement

# Kinds of defaults of columns that every dump reads; the others are computed, or not kept.
_READ = frozenset(("", "DEFAULT"))


def tables_without_objects(contents: Contents) -> Sequence[Key]:
    """Tables and views that keep rows, of which no object of the backup is: empty ones have one."""
    return sorted(
        key
        for key, statement in contents.made.items()
        if key not in contents.rows and _keeps_rows(statement)
    )


def unstored_columns(
    there: Mapping[str, Column], stored: Sequence[Mapping[str, Any]]
) -> Sequence[str]:
    """The columns of a table that rows were stored without; `stored` are its manifest's entries."""
    known = [table["columns"] for table in stored if has_rows(table)]
    return [
        name
        for name, column in there.items()
        if column.default_kind in _READ and not all(name in columns for columns in known)
    ]


def skipped_by_mistake(contents: Contents) -> Sequence[Key]:
    """Tables whose rows only one replica has, in objects that a restore skips as copies.

    Older versions packed both kinds into one object.
    """
    return sorted(
        {
            (table["database"], table["table"])
            for piece in contents.pieces
            if piece.metadata.get("redundant")
            for table in piece.metadata.get("tables", ())
            if by_engine(table.get("engine", ""))[0] is TableTreatment.DATA
            and not is_replicated(table["engine"])
            and has_rows(table)
        }
    )


def _keeps_rows(statement: Statement) -> bool:
    create = statement.create
    if create is None or by_engine(create.engine)[0] is not TableTreatment.DATA:
        return False
    return create.object == "TABLE" or (statement.is_materialized and create.target is None)
