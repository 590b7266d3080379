"""What a server holds is in the copy after loading, or a note names it: nothing is unexplained."""

import pytest

from dumpers.contract.notes import NoteCode
from tests.integration.dumpers.mysql.conftest import Case, dump_parts, noted
from tests.integration.dumpers.mysql.worlds import fill
from tests.testbed.databases.mysql import NEWEST, quoted

_ZOO = """
CREATE TABLE old (a VARCHAR(9) CHARACTER SET gbk, f FLOAT);
INSERT INTO old VALUES (_gbk 0xA6D9, 0.1);
CREATE TABLE part (a INT) ENGINE=MyISAM; INSERT INTO part VALUES (1);
CREATE TABLE joined (a INT) ENGINE=MERGE UNION=(part);
CREATE TABLE other (a INT) ENGINE=MyISAM; CREATE TABLE lost (a INT) ENGINE=MERGE UNION=(other);
DROP TABLE other; FLUSH TABLES;
CREATE TABLE mem (a INT) ENGINE=MEMORY; CREATE TABLE csv (a INT NOT NULL) ENGINE=CSV;
CREATE TABLE gone (a INT); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone;
CREATE VIEW `sight of "people"` AS SELECT id FROM people;
CREATE VIEW of_parts AS SELECT id FROM parts;
CREATE TABLE child (a INT, CONSTRAINT of_people FOREIGN KEY (a) REFERENCES people (id));
"""
_NEWEST = """
CREATE TABLE hidden (a INT PRIMARY KEY, secret VARCHAR(20) INVISIBLE, b INT);
INSERT INTO hidden (a, secret, b) VALUES (1, 'kept', 10), (2, NULL, 20);
SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE keyed (x INT); INSERT INTO keyed VALUES (99), (98);
CREATE TABLE vectors (id INT PRIMARY KEY, v VECTOR(3));
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[0,1.5,-2]')), (2, NULL);
"""
_MARIADB = """
CREATE TABLE hidden (a INT PRIMARY KEY, secret VARCHAR(20) INVISIBLE, b INT);
INSERT INTO hidden (a, secret, b) VALUES (1, 'kept', 10), (2, NULL, 20);
CREATE TABLE history (a INT PRIMARY KEY, x INT INVISIBLE DEFAULT 3) WITH SYSTEM VERSIONING;
INSERT INTO history (a, x) VALUES (1, 99); UPDATE history SET x = 98; DELETE FROM history;
INSERT INTO history (a, x) VALUES (2, 97);
"""
_LISTED = """
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() UNION ALL
SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE() UNION ALL
SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() UNION ALL
SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE() UNION ALL
SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns
 WHERE table_schema = DATABASE() AND table_name NOT IN ('lost', 'broken')
"""
_ROWS = {
    "old": "SELECT HEX(a), f FROM old",
    "part": "SELECT a FROM part",
    "hidden": "SELECT a, secret, b FROM hidden ORDER BY a",
    "keyed": "SELECT my_row_id, x FROM keyed ORDER BY x",
    "vectors": "SELECT id, HEX(v) FROM vectors ORDER BY id",
    "history": "SELECT a, x, row_start, row_end FROM history FOR SYSTEM_TIME ALL ORDER BY 3",
}
_OPTIONS = {
    "whole": {},
    "per table": {"KSNAPSHOT_PER_TABLE": "true"},
    "without some": {"KSNAPSHOT_EXCLUDE_TABLES": "parts,lost,nothing"},
    "without some per table": {
        "KSNAPSHOT_EXCLUDE_TABLES": "parts,people",
        "KSNAPSHOT_PER_TABLE": "true",
    },
    "some": {"KSNAPSHOT_TABLES": "people,old,doubled,part"},
}
# The rights that docs/mysql.md names, besides those on the database.
_RIGHTS = {"mysql-8.0": "SELECT ON *.*", NEWEST: "SHOW_ROUTINE ON *.*"}


def held(case: Case, database: str) -> set[str]:
    return set(case.server.sql(_LISTED, database).splitlines())


@pytest.mark.parametrize("options", list(_OPTIONS))
def test_nothing_is_unexplained(case: Case, options: str) -> None:
    database = case.database()
    fill(case.server, database)
    case.server.sql(_ZOO, database)
    case.server.sql({NEWEST: _NEWEST, "mariadb-11.4": _MARIADB}.get(case.server.name, ""), database)
    # With exactly the rights that the documentation names.
    user = case.user(
        f"SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {quoted(database)}.*",
        _RIGHTS.get(case.server.name, "SELECT ON mysql.proc"),
    )
    changes = _OPTIONS[options]
    job = case.job(database, **changes, MYSQL_USERNAME=user, MYSQL_PASSWORD="pw")
    source, found = dump_parts(job)
    copy = case.database("copy")
    for _, _, data in found:
        case.server.sql(data, copy)
    before, after = held(case, database), held(case, copy)
    assert after - before == set()
    notes = noted(source)
    explained = {name.removeprefix(f"{database}.") for names in notes.values() for name in names}
    explained |= set(changes.get("KSNAPSHOT_EXCLUDE_TABLES", "").split(","))
    missing = {name for name in before - after if name.partition(".")[0] not in explained}
    chosen = changes.get("KSNAPSHOT_TABLES")
    if chosen is None:
        assert missing == set()
    else:
        tables = set(case.server.sql("SHOW TABLES", copy).split())
        assert tables == set(chosen.split(","))
    for table, rows in _ROWS.items():
        if table in after:
            assert case.server.sql(rows, copy) == case.server.sql(rows, database), table
    assert NoteCode.ALTERED in notes
    assert (NoteCode.BROKEN_VIEWS in notes) == (chosen is None)
