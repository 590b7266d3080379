"""One object per table: all of one dump, each for itself, together the whole."""

from collections.abc import Sequence

import pytest

from dumpers.engines.mysql.engine import ENGINE
from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump_parts, piece
from tests.integration.dumpers.mysql.worlds import ODD_TABLE, fill, fingerprint
from tests.testbed.databases.mysql import quoted

PER_TABLE = {"KSNAPSHOT_PER_TABLE": "true"}
NAMES = ("a b", "it's", 'quo"te', "$HOME", "back`tick", "é中", "-x", "a%b_c", "a.b", "two\nlines")
# Lines of a dump where no dump of ours has them.
_TRIGGER = """
DELIMITER //
CREATE TRIGGER puzzle BEFORE INSERT ON a FOR EACH ROW BEGIN
/*

--
-- Table structure for table `b`
--

--
-- Dumping routines for database 'x'
--

-- Dump completed
*/ SET NEW.a = 1; END//
DELIMITER ;
"""


def parts(found: Sequence[tuple[str, tuple[str, ...], bytes]]) -> list[str]:
    return [".".join(part) for _, part, _ in found]


def test_each_table_loads_for_itself_and_all_are_the_whole(case: Case) -> None:
    database = case.database()
    fill(case.server, database)
    case.server.sql("CREATE TABLE a (a INT); CREATE TABLE b (a INT);" + _TRIGGER, database)
    _, found = dump_parts(case.job(database, **PER_TABLE))
    sequences = ["numbers"] if case.server.is_mariadb else []
    assert parts(found)[-1] == ""
    assert parts(found)[: len(sequences)] == sequences
    tables = case.server.sql("SHOW FULL TABLES WHERE table_type NOT LIKE '%VIEW'", database)
    assert len(found) == len(tables.splitlines()) + 1

    # Loaded in any order: foreign keys and sequences apart, no table needs another.
    [alone] = [sql for _, part, sql in found if part == ("notes",)]
    assert case.server.sql("SHOW TABLES", case.load(alone)) == "notes"
    [alone] = [sql for _, part, sql in found if part == (ODD_TABLE,)]
    assert case.server.sql(f"SELECT `$` FROM {quoted(ODD_TABLE)}", case.load(alone)) == "1"

    pieces = [piece(name, data, part) for name, part, data in found]
    copy = case.database("copy")
    assert ENGINE.restore(case.connection(copy), pieces, Interrupt()).notes == ()
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)


def test_tables_of_any_names(case: Case) -> None:
    database = case.database("per $table é")
    for name in NAMES:
        case.server.sql(
            f"CREATE TABLE {quoted(database)}.{quoted(name)} (a INT);"
            f"INSERT INTO {quoted(database)}.{quoted(name)} VALUES (1)"
        )
    _, found = dump_parts(case.job(database, **PER_TABLE))
    assert sorted(parts(found)) == sorted(["", *NAMES])
    copy = case.database("copy")
    ENGINE.restore(
        case.connection(copy), [piece(name, data, part) for name, part, data in found], Interrupt()
    )
    counted = ENGINE.inspect(case.connection(copy), Interrupt())
    assert counted == {f"{copy}.{name}": 1 for name in NAMES}


def test_some_tables_of_several_databases(case: Case) -> None:
    one, two = sorted((case.database("one"), case.database("two")))
    for name in (one, two):
        case.server.sql("CREATE TABLE a (a INT); CREATE TABLE b (a INT)", name)
    case.server.sql("CREATE VIEW v AS SELECT * FROM a", two)
    job = case.job(
        one, KSNAPSHOT_DATABASES=f"{one},{two}", KSNAPSHOT_EXCLUDE_TABLES=f"{two}.b", **PER_TABLE
    )
    _, found = dump_parts(job)
    assert [(name, *part) for name, part, _ in found] == [
        *((one, "a"), (one, "b"), (one,)),
        *((two, "a"), (two,)),
    ]
    for name in (one, two):
        case.server.drop_database(name)
        case.server.create_database(name)
    ENGINE.restore(
        case.connection(one), [piece(name, data, part) for name, part, data in found], Interrupt()
    )
    assert case.server.sql("SHOW TABLES", two).splitlines() == ["a", "v"]


def test_a_database_without_tables_is_one_object(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE VIEW v AS SELECT 1", database)
    _, found = dump_parts(case.job(database, **PER_TABLE))
    assert parts(found) == [""]
    assert case.server.sql("SELECT * FROM v", case.load(found[0][2])) == "1"


def test_a_table_that_is_gone_when_the_dump_begins(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE a (a INT); CREATE TABLE b (a INT)", database)
    job = case.job(database, **PER_TABLE)
    with ENGINE.open(job, Interrupt()) as opened:
        case.server.sql("DROP TABLE b", database)
        with pytest.raises(SourceFailedError), opened.streams[0].open(Interrupt()) as reader:
            list(iter(reader.read, b""))
