from dataclasses import replace

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.catalog.server_catalog import leave_without_statement
from dumpers.engines.clickhouse.schema.tables import treat
from tests.unit.dumpers.engines.clickhouse.parts import table


def test_a_table_without_a_statement_is_left_out() -> None:
    good, damaged = table("good"), replace(table("damaged"), create="")
    kept, lost = leave_without_statement(treat([good, damaged]))
    assert kept.is_saved
    assert kept.notes == ()
    assert not lost.is_saved
    assert [(note.code, note.objects) for note in lost.notes] == [
        (NoteCode.UNREADABLE, ("d.damaged",))
    ]
