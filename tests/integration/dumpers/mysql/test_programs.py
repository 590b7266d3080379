"""Routines and events that the server itself cannot tell of, or that a load does not give back."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dumpers.contract.notes import NoteCode
from tests.integration.dumpers.mysql.conftest import Case, dump, noted
from tests.testbed.databases.mysql import NEWEST

_WORLD = """
CREATE TABLE t (a INT); INSERT INTO t VALUES (1);
CREATE FUNCTION f() RETURNS INT RETURN 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;
"""
_OLD = pytest.mark.parametrize("case", ["mysql-5.7", "mariadb-11.4"], indirect=True)


@contextmanager
def away(case: Case, table: str) -> Iterator[None]:
    """The server without one of its own tables."""
    case.server.sql(f"RENAME TABLE mysql.{table} TO mysql.{table}_away")
    try:
        yield
    finally:
        case.server.sql(f"RENAME TABLE mysql.{table}_away TO mysql.{table}")


@_OLD
@pytest.mark.parametrize(
    ("table", "what", "kept", "lost"),
    [
        ("event", "events", b"FUNCTION `f`", b"EVENT `e`"),
        ("proc", "procedures and functions", b"EVENT `e`", b"FUNCTION `f`"),
    ],
)
def test_programs_of_which_the_server_cannot_tell(
    case: Case, table: str, what: str, kept: bytes, lost: bytes
) -> None:
    """As behind an upgrade that nobody has ended: tables come, and the others of the programs."""
    database = case.database()
    case.server.sql(_WORLD, database)
    with away(case, table):
        source, [(_, sql)] = dump(case.job(database))
    [note] = [note for note in source.notes if note.code is NoteCode.UNREADABLE]
    assert note.objects == (database,)
    assert note.text.startswith(f"{what} are NOT in this dump")
    assert f"mysql.{table}' doesn't exist" in note.text
    assert kept in sql
    assert lost not in sql
    assert case.server.sql("SELECT a FROM t", case.load(sql)) == "1"


@_OLD
def test_a_routine_that_the_server_cannot_show(case: Case) -> None:
    database = case.database()
    case.server.sql(_WORLD + "CREATE FUNCTION g() RETURNS INT RETURN 2;", database)
    case.server.sql(f"UPDATE mysql.proc SET body = '(' WHERE db = '{database}' AND name = 'g'")
    try:
        source, [(_, sql)] = dump(case.job(database))
        assert noted(source) == {NoteCode.UNREADABLE: (f"{database}.g",)}
        assert b"EVENT `e`" in sql
        assert case.server.sql("SELECT a FROM t", case.load(sql)) == "1"
    finally:
        case.server.sql(f"DELETE FROM mysql.proc WHERE db = '{database}' AND name = 'g'")


@pytest.mark.parametrize("case", ["mysql-8.0", NEWEST, "mariadb-11.4"], indirect=True)
def test_events_that_a_load_does_not_give_back(case: Case) -> None:
    database = case.database()
    new = case.server.name == NEWEST
    case.server.sql(
        _WORLD
        + "CREATE EVENT once ON SCHEDULE AT NOW() + INTERVAL 1 HOUR DO SELECT 1;"
        + "CREATE EVENT until ON SCHEDULE EVERY 1 DAY ENDS NOW() + INTERVAL 2 DAY DO SELECT 1;"
        + "CREATE EVENT kept ON SCHEDULE AT NOW() + INTERVAL 1 HOUR ON COMPLETION PRESERVE "
        + "DO SELECT 1;"
        + "CREATE EVENT of_source ON SCHEDULE EVERY 1 DAY DISABLE ON "
        + ("REPLICA" if new else "SLAVE")
        + " DO SELECT 1;",
        database,
    )
    source, [(_, sql)] = dump(case.job(database))
    notes = [note for note in source.notes if note.code is NoteCode.RESTORE_NEEDS]
    assert {note.objects for note in notes} == {
        (f"{database}.of_source",),
        (f"{database}.once", f"{database}.until"),
    }
    copy = case.load(sql)
    status = "SELECT status LIKE '%SIDE_DISABLED' FROM information_schema.events "
    status += f"WHERE event_schema = '{copy}' AND event_name = 'of_source'"
    assert case.server.sql(status) == "1"
