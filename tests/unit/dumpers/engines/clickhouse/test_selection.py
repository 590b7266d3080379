from dataclasses import replace
from typing import cast

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.catalog.databases import Database
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.filters import TableFilter
from dumpers.engines.clickhouse.options import Options
from dumpers.engines.clickhouse.selection import read_notes, select_tables
from dumpers.runtime.errors import SourceRefusedError
from tests.unit.dumpers.engines.clickhouse.parts import NOW, REPLICATED, holding, member, table


class _Asked:
    """The options that choose tables."""

    def __init__(self, **patterns: tuple[str, ...]) -> None:
        self.table_filter = TableFilter(**patterns)
        self.partitions: dict[tuple[str, str], tuple[str, ...]] = {}


def asked(**patterns: tuple[str, ...]) -> Options:
    return cast("Options", _Asked(**patterns))


def catalog(*names: str, engine: str = "MergeTree") -> ServerCatalog:
    return replace(
        holding(member(), [table(name, engine) for name in names]),
        every_database=("d", "crm"),
        databases=(Database(name="d", engine="Atomic"), Database(name="crm", engine="MySQL")),
    )


def test_databases_of_tables_that_were_not_chosen_are_left_out() -> None:
    [found], _ = select_tables([catalog("a", "b")], asked(tables=("d.a",)))
    assert [item.table.name for item in found.tables] == ["a"]
    assert [item.name for item in found.databases] == ["d"]
    [everything], _ = select_tables([catalog("a", "b")], asked())
    assert [item.name for item in everything.databases] == ["d", "crm"]


def test_what_lies_elsewhere_alone_is_no_dump() -> None:
    with pytest.raises(SourceRefusedError, match="'crm' lie in other systems"):
        select_tables([catalog()], asked())


def test_notes_are_those_of_what_was_chosen() -> None:
    whole = catalog("a", "b", engine="Set")
    chosen, _ = select_tables([whole], asked(tables=("d.a",)))
    [note] = read_notes([whole], chosen, asked(tables=("d.a",)), NOW)
    assert (note.code, note.objects) == (NoteCode.NOT_DUMPED, ("d.a",))


def test_a_replicated_table_whose_lag_is_not_told() -> None:
    whole = replace(
        holding(member(), [table("a", REPLICATED), table("b", REPLICATED)], {"a": ("/a", 1)}),
        every_database=("d",),
        databases=(Database(name="d", engine="Atomic"),),
    )
    chosen, _ = select_tables([whole], asked())
    [note] = read_notes([whole], chosen, asked(), NOW)
    assert (note.code, note.objects) == (NoteCode.STANDBY, ("d.b",))
