from pathlib import Path

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.notes import NoteCode
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.streams import DatabaseStream

_ZEROED = "WARNING:  invalid page in block 0 of relation base/5/16384; zeroing out page"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", ""),
        ("NOTICE:  hypertable data are in the chunks, no data will be copied", ""),
        (
            "pg_dump: warning: subscriptions not dumped",
            "pg_dump: warning: subscriptions not dumped",
        ),
        # The server's own, in the tool's session.
        (f"pg_dump: last built-in OID is 16383\n{_ZEROED}", _ZEROED),
    ],
)
def test_warnings_of_a_dump_that_succeeded(said: str, told: str) -> None:
    connection = Connection(host="db", port=5432, database="shop")
    stream = DatabaseStream(
        session=Session(connection=connection, folder=Path("/")),
        arguments=(),
        estimate=0,
        custom=False,
        unknown_setting=False,
        lock_seconds=0,
        encoding="UTF8",
        _said=said,
    )
    notes = stream.notes()
    assert [note.text for note in notes] == [told] * bool(told)
    assert all(note.code is NoteCode.TOOL_WARNING for note in notes)
