"""What an account or a session is not shown, and no tool says: rows, databases, transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump, noted
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases.mysql import NEWEST, quoted

_THREE = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)"
_BOTH = pytest.mark.parametrize("case", [NEWEST, "mariadb-11.4"], indirect=True)


@_BOTH
def test_a_limit_of_rows_that_every_session_begins_with(case: Case) -> None:
    database = case.database()
    case.server.sql(_THREE, database)
    user = case.user(f"ALL ON {quoted(database)}.*")
    case.server.sql("SET GLOBAL init_connect = 'SET sql_select_limit = 1'")
    try:
        # Administrators' sessions begin without it.
        _, [(_, sql)] = dump(case.job(database))
        poor = case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
        if case.server.is_mariadb:
            with pytest.raises(SourceRefusedError, match="sql_select_limit is 1"):
                dump(poor)
        else:
            _, [(_, sql)] = dump(poor)
    finally:
        case.server.sql("SET GLOBAL init_connect = ''")
    assert case.server.sql("SELECT COUNT(*) FROM t", case.load(sql)) == "3"


@_BOTH
def test_databases_that_the_account_does_not_see(case: Case) -> None:
    seen, other = case.database("seen"), case.database("other")
    for name in (seen, other):
        case.server.sql(_THREE, name)
    user = case.user(f"ALL ON {quoted(seen)}.*")
    job = case.job("", KSNAPSHOT_DATABASES="*", MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")

    def unseen() -> list[str]:
        source, found = dump(job)
        assert (seen in dict(found), other in dict(found)) == (True, False)
        return [note.text for note in source.notes if "databases that" in note.text]

    [text] = unseen()
    assert "grant it SHOW DATABASES" in text
    # What is named is all that was asked for.
    named = case.job(seen, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
    assert NoteCode.UNREADABLE not in noted(dump(named)[0])
    case.server.sql(f"GRANT SELECT ON *.* TO {user}@'%'")
    source, found = dump(job)
    assert {seen, other} <= dict(found).keys()
    assert not any("databases that" in note.text for note in source.notes)


@contextmanager
def prepared(case: Case, database: str) -> Iterator[None]:
    """A transaction that waits for its second phase."""
    case.server.sql(
        "XA START 'one'; INSERT INTO t VALUES (4); XA END 'one'; XA PREPARE 'one'", database
    )
    try:
        yield
    finally:
        case.server.sql("XA ROLLBACK 'one'")


def test_prepared_transactions(case: Case) -> None:
    database = case.database()
    case.server.sql(_THREE, database)
    user = case.user(f"SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {quoted(database)}.*")
    with prepared(case, database):
        source, [(_, sql)] = dump(case.job(database))
        assert len(noted(source)[NoteCode.NOT_DUMPED]) == 1
        # Who may not ask is not refused.
        dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    assert NoteCode.NOT_DUMPED not in noted(dump(case.job(database))[0])
    assert case.server.sql("SELECT COUNT(*) FROM t", case.load(sql)) == "3"


def test_gtids_and_an_account_without_reload(clients: None) -> None:
    options = ["--server-id=7", "--log-bin=bin", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"]
    with mysql_testbed.start(NEWEST, options=options) as server:
        case = Case(server=server)
        database = case.database()
        server.sql(_THREE, database)
        assert server.sql("SELECT @@gtid_executed <> ''") == "1"
        user = case.user(f"SELECT, SHOW VIEW, TRIGGER, EVENT ON {quoted(database)}.*")
        job = case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
        _, [(_, sql)] = dump(job)
        assert b"GTID_PURGED" not in sql
        assert server.sql("SELECT COUNT(*) FROM t", case.load(sql)) == "3"
        # They are for whoever asks for them, and has the right.
        asked = {"MYSQLDUMP_OPTIONS": "--set-gtid-purged=ON"}
        with pytest.raises(SourceRefusedError, match=r"RELOAD.*1227"):
            dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw", **asked))
        assert b"SET @@GLOBAL.GTID_PURGED" in dump(case.job(database, **asked))[1][0][1]
