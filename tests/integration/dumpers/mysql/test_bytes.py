"""Values, definitions and names in every character set come back with the bytes that they had."""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.mysql.survey.columns import EXACT
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump, dump_parts, noted, piece

# Values whose characters are several of that set, or none of Unicode's.
_OLD = r"""
CREATE TABLE t (id INT PRIMARY KEY, j VARCHAR(20) CHARACTER SET cp932 DEFAULT '中',
  l VARCHAR(20) CHARACTER SET latin1 DEFAULT 'é' COMMENT 'ü', e VARCHAR(20) CHARACTER SET eucjpms,
  u VARCHAR(20) CHARACTER SET ujis, g VARCHAR(20) CHARACTER SET gbk,
  b VARCHAR(20) CHARACTER SET big5, c VARCHAR(20) CHARACTER SET cp1251,
  w VARCHAR(20) CHARACTER SET utf16, m TEXT CHARACTER SET utf8mb4,
  en ENUM('a','é','ő') CHARACTER SET cp1250, st SET('x','é') CHARACTER SET latin1,
  bits BIT(9), bytes BLOB, doc JSON, place POINT, price DECIMAL(10,3), seen DATETIME(6), y YEAR);
INSERT INTO t (id, j, l, e, u, g, b, c) VALUES
 (1, _cp932 0xFA54, _latin1 0x819D8D, _eucjpms 0xADB5, _ujis 0xA1C0, _gbk 0xA6D9, _big5 0xA145,
  _cp1251 0x98),
 (2, _cp932 0x81CA, _latin1 0xC3A9, _eucjpms 0x8FF3F3, _ujis 0xA1C1, _gbk 0x8140, _big5 0xC8A4, ''),
 (3, _cp932 0xED40, _latin1 0xFF, _eucjpms 0xA1DD, _ujis 0xA1F1, _gbk 0xFE50, _big5 0xF9D6, 'Ж'),
 (4, _cp932 0x835C835C5C27, _latin1 0x00275C0A1A, NULL, NULL, _gbk 0x815C, _big5 0xA15C, NULL);
INSERT INTO t VALUES (5, 'x', 'y', NULL, NULL, NULL, NULL, NULL, '中🐘', 'é🐘\\''"\n\0\r\Z', 'é',
  'x,é', b'101010101', 0x00FF5C27220A0D1A, '{"a": "é🐘\\n"}', ST_GeomFromText('POINT(1 2)'), 1.5,
  '2020-01-01 00:00:00.123456', 2001);
CREATE TABLE `é中` (`ü` VARCHAR(5) CHARACTER SET gbk) COMMENT 'ß';
INSERT INTO `é中` VALUES ('中');
CREATE VIEW v AS SELECT id FROM t WHERE m LIKE 'é%';
"""
_SEEN = """
SELECT id, HEX(j), HEX(l), HEX(e), HEX(u), HEX(g), HEX(b), HEX(c), HEX(w), HEX(m), HEX(en), en + 0,
  HEX(st), bits + 0, HEX(bytes), doc, ST_AsText(place), price, seen, y FROM t ORDER BY id;
SELECT HEX(`ü`) FROM `é中`; SHOW CREATE TABLE t; SHOW CREATE TABLE `é中`; SHOW CREATE VIEW v;
SELECT HEX(DEFAULT(j)), HEX(DEFAULT(l)) FROM t LIMIT 1
"""
# All characters of one byte, and of two where a set has any.
_WIDE = ("ucs2", "utf16", "utf16le")


def seen(case: Case, database: str) -> str:
    return case.server.sql(_SEEN, database).replace(database, "DATABASE")


@pytest.mark.parametrize("per_table", ["", "true"])
def test_bytes_of_old_character_sets(case: Case, per_table: str) -> None:
    database = case.database()
    case.server.sql(_OLD, database)
    source, found = dump_parts(case.job(database, KSNAPSHOT_PER_TABLE=per_table))
    assert noted(source) == {NoteCode.ALTERED: (f"{database}.t.j", f"{database}.t.en")}
    copy = case.database("copy")
    pieces = [piece(name, data, part) for name, part, data in found]
    ENGINE.restore(case.connection(copy), pieces, Interrupt())
    assert seen(case, copy) == seen(case, database)
    loaded = case.database("copy")
    for _, _, data in found:
        case.server.sql(data, loaded)
    assert seen(case, loaded) == seen(case, database)
    if not case.server.is_mariadb:
        # What is UTF-8 stays legible.
        assert any("é🐘".encode() in data for *_, data in found)


def test_character_sets_that_utf_8_keeps(case: Case) -> None:
    database = case.database()
    bytes_ = "SELECT UNHEX(LPAD(HEX(a.n * 16 + b.n), 2, '0')) AS b FROM d a JOIN d b"
    case.server.sql(
        "CREATE TABLE d (n INT); INSERT INTO d VALUES "
        f"{', '.join(f'({n})' for n in range(16))};"
        f"CREATE TABLE one (b VARBINARY(2)); INSERT INTO one {bytes_};"
        "CREATE TABLE two (b VARBINARY(2)); INSERT INTO two "
        "SELECT CONCAT(a.b, b.b) FROM one a JOIN one b",
        database,
    )
    known = case.server.sql("SELECT character_set_name FROM information_schema.character_sets")
    for name in sorted(EXACT & set(known.split()) - {"binary", "utf8", "utf8mb3", "utf8mb4"}):
        table = "two" if name in _WIDE else "one"
        case.server.sql(
            f"CREATE TABLE {name} (v VARCHAR(2) CHARACTER SET {name});"
            f"INSERT IGNORE INTO {name} SELECT b FROM {table}",
            database,
        )
        back = f"CONVERT(CONVERT(v USING utf8mb4) USING {name})"
        differ = f"SELECT COUNT(*) FROM {name} WHERE CAST(v AS BINARY) <> CAST({back} AS BINARY)"
        assert case.server.sql(differ, database) == "0", name


def test_members_whose_bytes_the_server_does_not_show(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE t (a ENUM('x', 0xFA54) CHARACTER SET cp932); INSERT INTO t VALUES (1)",
        database,
    )
    source, _ = dump(case.job(database))
    assert noted(source) == {NoteCode.ALTERED: (f"{database}.t.a",)}
    case.server.sql("INSERT INTO t VALUES (2)", database)
    with pytest.raises(SourceRefusedError, match=rf"'{database}\.t\.a'.*convert the columns"):
        dump(case.job(database))


@pytest.mark.parametrize("case", ["mariadb-11.4"], indirect=True)
def test_types_that_take_bytes_for_their_own(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE t (u UUID, i INET6, f INET4, j VARCHAR(9) CHARACTER SET cp932);"
        "INSERT INTO t VALUES ('018f8c6d-1234-5678-9abc-123456789abc', '::1', '1.2.3.4', 'あ')",
        database,
    )
    _, [(_, sql)] = dump(case.job(database))
    rows = "SELECT u, i, f, HEX(j) FROM t"
    assert case.server.sql(rows, case.load(sql)) == case.server.sql(rows, database)
    case.server.sql("INSERT INTO t (j) VALUES (_cp932 0xFA54)", database)
    with pytest.raises(SourceRefusedError, match=r"\.t\.j'"):
        dump(case.job(database))


def test_numbers_that_the_server_shows_in_short(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE t (a FLOAT, b DOUBLE, c FLOAT(10,3));"
        "INSERT INTO t VALUES (16777217, 0.1 + 0.2, 1234567.891), (1, 1.7976931348623157e308, 1)",
        database,
    )
    source, [(_, sql)] = dump(case.job(database))
    assert noted(source) == {NoteCode.ALTERED: (f"{database}.t.a",)}
    copy = case.load(sql)
    for exact in ("SELECT b FROM t", "SELECT c + 0e0 FROM t"):
        assert case.server.sql(exact, copy) == case.server.sql(exact, database)


def test_a_character_set_of_the_users_own(case: Case) -> None:
    database = case.database()
    source, _ = dump(case.job(database, MYSQLDUMP_OPTIONS="--default-character-set=latin1"))
    assert noted(source) == {NoteCode.ALTERED: ()}
    with pytest.raises(ConfigurationError, match="default-character-set=binary"):
        dump(case.job(database, MYSQLDUMP_OPTIONS="--default_character_set binary"))


def test_what_belongs_to_the_database_itself(case: Case) -> None:
    database = case.database()
    comment = " COMMENT 'it''s'" if case.server.is_mariadb else ""
    case.server.sql(
        f"ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german1_ci{comment};"
        "CREATE FUNCTION f(x TEXT) RETURNS VARCHAR(9) DETERMINISTIC RETURN x",
        database,
    )
    _, [(_, sql)] = dump(case.job(database))
    copy = case.load(sql)
    for shown in ("SHOW CREATE DATABASE {}", "SHOW CREATE FUNCTION {}.f"):
        before, after = (case.server.sql(shown.format(name)) for name in (database, copy))
        assert after.replace(copy, database) == before
    assert "latin1_german1_ci" in case.server.sql(f"SHOW CREATE DATABASE {copy}")
