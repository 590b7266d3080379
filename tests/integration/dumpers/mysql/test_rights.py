"""Accounts that may not see everything: what is missing is told, and the rest is dumped."""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump, noted
from tests.integration.dumpers.mysql.worlds import ODD_VIEW, fill
from tests.testbed.databases.mysql import quoted

# What the official images give MYSQL_USER on MYSQL_DATABASE.
_APPLICATION = "ALL"


def dumped_by(
    case: Case, database: str, *grants: str
) -> tuple[dict[NoteCode, tuple[str, ...]], bytes]:
    """The notes of a dump by an account with these rights on the database, and the dump."""
    user = case.user(*(f"{grant} ON {quoted(database)}.*" for grant in grants))
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    # MySQL 8 quotes the names of triggers, the others do not.
    return noted(source), sql.replace(b"TRIGGER `watch`", b"TRIGGER watch")


def test_an_application_account_that_did_not_make_the_routines(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    notes, sql = dumped_by(case, database, _APPLICATION)
    if case.server.is_mariadb:
        # There the right to see routines is part of ALL.
        assert NoteCode.UNREADABLE not in notes
        assert b"PROCEDURE `tidy`" in sql
    else:
        assert notes[NoteCode.UNREADABLE] == (f"{database}.tidy", f"{database}.twice $é")
        assert b"PROCEDURE `tidy`" not in sql
    assert b"EVENT `nightly`" in sql
    assert b"TRIGGER watch" in sql


def test_an_account_that_may_only_read(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    user = case.user(f"SELECT ON {quoted(database)}.*")
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    unreadable = [note for note in source.notes if note.code is NoteCode.UNREADABLE]
    views = tuple(f"{database}.{view}" for view in ("authors", "doubled", ODD_VIEW))
    assert {note.objects for note in unreadable} == {views, (database,)}
    said = "\n".join(note.text for note in unreadable)
    for word in ("SHOW VIEW", "EVENT", "TRIGGER", "procedures and functions"):
        assert word in said
    assert len(unreadable) == 4
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
    assert noted(source) == {NoteCode.NOT_CONSISTENT: (f"{database}.select",)}
    plain = sql.replace(b"`", b"")
    for word in (b"PROCEDURE tidy", b"EVENT nightly", b"TRIGGER watch", b"VIEW authors"):
        assert word in plain


def test_an_account_that_sees_some_tables(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE seen (a INT); CREATE TABLE hidden (a INT)", database)
    user = case.user(f"SELECT ON {quoted(database)}.seen")
    source, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw"))
    assert any("tables that this account may not see" in note.text for note in source.notes)
    assert b"`seen`" in sql
    assert b"hidden" not in sql


def test_a_table_that_is_seen_and_may_not_be_read(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE seen (a INT); CREATE TABLE columns (a INT, b INT)", database)
    case.server.sql("CREATE TABLE good (a INT); INSERT INTO good VALUES (7)", database)
    user = case.user(
        f"INSERT ON {quoted(database)}.*",
        f"SELECT (a) ON {quoted(database)}.columns",
        f"SELECT ON {quoted(database)}.good",
    )
    login = {"MYSQL_USERNAME": user, "MYSQL_PASSWORD": "pw"}
    source, [(_, sql)] = dump(case.job(database, **login))
    assert noted(source)[NoteCode.UNREADABLE][:2] == (f"{database}.columns", f"{database}.seen")
    assert case.server.sql("SHOW TABLES", case.load(sql)) == "good"
    with pytest.raises(SourceRefusedError, match=r"'seen' .* was asked for .*denied"):
        dump(case.job(database, **login, KSNAPSHOT_TABLES="good,seen"))
