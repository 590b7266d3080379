"""Accounts that may not see everything: what is missing is told, and the rest is dumped."""

import pytest

from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump
from tests.integration.dumpers.mysql.worlds import fill
from tests.testbed.databases.mysql import quoted

# What the official images give MYSQL_USER on MYSQL_DATABASE.
_APPLICATION = "ALL"


def notes_of(case: Case, database: str, *grants: str) -> tuple[tuple[str, ...], bytes]:
    user = case.user(*(f"{grant} ON {quoted(database)}.*" for grant in grants))
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    about_tables = ("NOT consistent", "the history of")
    notes = tuple(
        note for note in map(str, source.notes) if not any(map(note.__contains__, about_tables))
    )
    # MySQL 8 quotes the names of triggers, the others do not.
    return notes, sql.replace(b"TRIGGER `watch`", b"TRIGGER watch")


def test_an_application_account_that_did_not_make_the_routines(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    notes, sql = notes_of(case, database, _APPLICATION)
    if case.server.is_mariadb:
        # There the right to see routines is part of ALL.
        assert notes == ()
        assert b"PROCEDURE `tidy`" in sql
    else:
        [note] = notes
        assert "NO procedure or function is in this dump" in note
        assert "'tidy', 'twice $é'" in note
        assert b"PROCEDURE `tidy`" not in sql
    assert b"EVENT `nightly`" in sql
    assert b"TRIGGER watch" in sql


def test_an_account_that_may_only_read(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    notes, sql = notes_of(case, database, "SELECT")
    said = "\n".join(notes)
    for word in ("'authors'", "SHOW VIEW", "EVENT", "TRIGGER", "procedures and functions"):
        assert word in said
    assert len(notes) == 4
    copy = case.load(sql)
    assert case.server.sql("SELECT COUNT(*) FROM people", copy) == "3"
    assert "authors" not in case.server.sql("SHOW TABLES", copy)


def test_an_account_with_the_rights_that_the_manual_names(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    user = case.user(f"SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {quoted(database)}.*")
    whole = {
        "mysql-8.0": "SELECT ON *.*",
        "mysql-9": "SHOW_ROUTINE ON *.*",
    }.get(case.server.name, "SELECT ON mysql.proc")
    case.server.sql(f"GRANT {whole} TO {user}@'%'")
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    assert not any("NOT in this dump" in note for note in map(str, source.notes))
    plain = sql.replace(b"`", b"")
    for word in (b"PROCEDURE tidy", b"EVENT nightly", b"TRIGGER watch", b"VIEW authors"):
        assert word in plain


def test_an_account_that_sees_some_tables(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE seen (a INT); CREATE TABLE hidden (a INT)", database)
    user = case.user(f"SELECT ON {quoted(database)}.seen")
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    assert any(
        note.startswith("tables that this account may not see") for note in map(str, source.notes)
    )
    assert b"`seen`" in sql
    assert b"hidden" not in sql


def test_a_table_that_is_seen_and_may_not_be_read(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE seen (a INT)", database)
    user = case.user(f"INSERT ON {quoted(database)}.*")
    job = case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
    with pytest.raises(SourceRefusedError, match="denied"):
        dump(job)


def test_a_view_whose_table_is_gone(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t", database)
    case.server.sql("DROP TABLE t", database)
    with pytest.raises(SourceRefusedError, match="invalid table"):
        dump(case.job(database))
