"""Dumps of real servers, loaded by the stock client: everything must come back."""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump, noted
from tests.integration.dumpers.mysql.worlds import fill, fingerprint
from tests.testbed.databases.mysql import quoted


def test_a_dump_loads_with_the_stock_client(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    source, [(name, sql)] = dump(case.job(database))
    assert name == database
    flavour = "MariaDB" if case.server.is_mariadb else "MySQL"
    assert source.server_version.startswith(f"{flavour} {case.server.name.partition('-')[2]}")
    assert noted(source) == {NoteCode.NOT_CONSISTENT: (f"{database}.select",)}
    copy = case.load(sql)
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)


PASSWORDS = ("sp ace", "it's", 'quo"te', "$HOME `x` \\", "é中🐘", "#;=%", "--help", "x" * 70)
NAMES = ("a b", "it's", 'quo"te', "$HOME", "back`tick", "é中", "-x", "--help", "a%b_c", "a.b")


def test_a_password_of_any_characters(case: Case) -> None:
    database = case.database()
    user = case.user(f"ALL ON {quoted(database)}.*")
    for password in PASSWORDS:
        literal = "'" + password.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case.server.sql(f"ALTER USER {user}@'%' IDENTIFIED BY {literal}")
        _, [(_, sql)] = dump(case.job(database, MYSQL_USERNAME=user, MYSQL_PASSWORD=password))
        assert b"Dump completed" in sql


def test_a_database_and_its_tables_of_any_names(case: Case) -> None:
    database = case.database("".join(NAMES)[:40])
    for name in NAMES:
        # Not by connecting to it: MySQL 9's client cannot say such a name to MySQL 5.7 so early.
        case.server.sql(f"CREATE TABLE {quoted(database)}.{quoted(name)} (a INT)")
    _, [(_, sql)] = dump(case.job(database))
    copy = case.load(sql)
    assert set(case.server.sql("SHOW TABLES", copy).splitlines()) == set(NAMES)
    _, [(_, sql)] = dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES=",".join(NAMES[1:])))
    assert case.server.sql("SHOW TABLES", case.load(sql)) == NAMES[0]
    _, [(_, sql)] = dump(case.job(database, KSNAPSHOT_TABLES=f"{NAMES[-1]}, {database}.{NAMES[6]}"))
    copy = case.load(sql)
    assert set(case.server.sql("SHOW TABLES", copy).splitlines()) == {NAMES[-1], NAMES[6]}


def test_all_databases_are_one_object_each(case: Case) -> None:
    names = sorted((case.database("one"), case.database("two")))
    for name in names:
        case.server.sql(f"CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('{name}')", name)
    source, found = dump(case.job(names[0], KSNAPSHOT_DATABASES="*"))
    assert [name for name, _ in found] == names
    assert source.notes == ()
    for name, sql in found:
        assert case.server.sql("SELECT a FROM t", case.load(sql)) == name
    _, found = dump(case.job(names[0], KSNAPSHOT_DATABASES=f" {names[1]},{names[0]}"))
    assert [name for name, _ in found] == names[::-1]


def test_tables_that_are_not_there(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE a (b INT); CREATE TABLE c (d INT)", database)
    source, _ = dump(case.job(database, MYSQLDUMP_EXCLUDED_TABLES="a  nothing"))
    assert noted(source) == {NoteCode.NOTHING_MATCHED: (f"{database}.nothing",)}
    with pytest.raises(SourceRefusedError, match="'nothing'"):
        dump(case.job(database, MYSQLDUMP_TABLES="a nothing"))


def test_tables_behind_their_database_among_several(case: Case) -> None:
    one, two = sorted((case.database("one"), case.database("two")))
    for name in (one, two):
        case.server.sql("CREATE TABLE a (x INT); CREATE TABLE b (x INT)", name)
    both = {"KSNAPSHOT_DATABASES": f"{one},{two}"}
    _, found = dump(case.job(one, **both, KSNAPSHOT_TABLES=f"{one}.a,{two}.b"))
    assert [case.server.sql("SHOW TABLES", case.load(sql)) for _, sql in found] == ["a", "b"]
    source, found = dump(case.job(one, **both, KSNAPSHOT_EXCLUDE_TABLES=f"{one}.a"))
    assert source.notes == ()
    loaded = [case.server.sql("SHOW TABLES", case.load(sql)).split() for _, sql in found]
    assert loaded == [["b"], ["a", "b"]]
    with pytest.raises(SourceRefusedError, match=two):
        dump(case.job(one, **both, KSNAPSHOT_TABLES=f"{one}.a"))


def test_some_tables_and_a_view_that_calls_a_function(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    case.server.sql("CREATE TABLE later (a INT)", database)
    _, [(_, sql)] = dump(case.job(database, KSNAPSHOT_TABLES="people,doubled"))
    copy = case.load(sql)
    assert case.server.sql("SHOW TABLES", copy).split() == ["doubled", "people"]
    assert case.server.sql("SELECT twice FROM doubled WHERE id = 7", copy) == "14"


def test_an_empty_database(case: Case) -> None:
    database = case.database()
    source, [(_, sql)] = dump(case.job(database))
    assert (source.notes, source.estimate) == ((), 0)
    assert case.server.sql("SHOW TABLES", case.load(sql)) == ""


def test_a_row_larger_than_the_tools_own_limits(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE large (a LONGBLOB); INSERT INTO large VALUES (REPEAT('x', 30000000))",
        database,
    )
    _, [(_, sql)] = dump(case.job(database))
    copy = case.load(sql)
    assert case.server.sql("SELECT LENGTH(a) FROM large", copy) == "30000000"
