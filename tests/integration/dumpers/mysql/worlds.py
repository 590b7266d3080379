"""A database with a bit of everything, and what two equal ones have in common."""

from tests.testbed.databases.mysql import MySQLServer, quoted

ODD_TABLE = "odd `na'me\" $x é中"
ODD_VIEW = "sight $é"

_COMMON = (
    r"""
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
CREATE TABLE people (
  id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) UNIQUE, picture BLOB, flags BIT(10),
  born DATE, seen DATETIME(6), stamp TIMESTAMP NULL, price DECIMAL(20,6), ratio DOUBLE,
  kind ENUM('a','b''c','é'), tags SET('x','y'), doc JSON, place POINT, fixed BINARY(8), note TEXT,
  shout VARCHAR(100) GENERATED ALWAYS AS (UPPER(name)) VIRTUAL,
  twice DECIMAL(21,6) GENERATED ALWAYS AS (price * 2) STORED, KEY (shout), KEY born (born)
) COMMENT='who''s who';
INSERT INTO people (id, name, picture, flags, born, seen, stamp, price, ratio, kind, tags, doc,
  place, fixed, note) VALUES
 (0, 'Zoë 🐘 \\ ''"', X'0001FF5C27220A0D1A00', b'1010101010', '0000-00-00',
  '2020-02-29 23:59:59.123456', '2001-01-01 00:00:01', -12345678901234.567891,
  1e300, 'b''c', 'x,y', '{"a": [1, "🐘", null]}',
  ST_GeomFromText('POINT(1 2)'), X'00000000000000FF', 'line\r\n\ttab\0nul\Z'),
 (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (8, '', '', b'0', '2000-00-00', '0000-00-00 00:00:00', NULL, 0, -0.1, 'é', '', '[]', NULL, '',
  '-- Dump completed');
CREATE TABLE notes (id BIGINT PRIMARY KEY, author INT, body MEDIUMTEXT CHARACTER SET latin1,
  CONSTRAINT wrote FOREIGN KEY (author) REFERENCES people (id) ON DELETE CASCADE);
INSERT INTO notes SELECT @n := @n + 1, 7, REPEAT(CONCAT('é line ', @n, '\n'), 40)
  FROM (SELECT @n := 0) zero, people a, people b, people c, people d, people e, people f;
CREATE TABLE `select` (`from` INT, `a b``c` VARCHAR(10)) ENGINE=MyISAM;
INSERT INTO `select` VALUES (1, 'x'), (2, NULL);
CREATE TABLE """
    + quoted(ODD_TABLE)
    + r""" (`$` INT PRIMARY KEY, `é"'` TEXT);
INSERT INTO """
    + quoted(ODD_TABLE)
    + r""" VALUES (1, 'odd');
CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
CREATE TABLE parts (id INT NOT NULL, day DATE NOT NULL, PRIMARY KEY (id, day))
  PARTITION BY RANGE (YEAR(day)) (PARTITION p0 VALUES LESS THAN (2020),
  PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2024-01-01');
CREATE VIEW authors AS SELECT name, COUNT(*) AS wrote FROM people JOIN notes ON author = people.id
  GROUP BY name;
CREATE VIEW """
    + quoted(ODD_VIEW)
    + r""" AS SELECT * FROM authors WHERE wrote > 0;
DELIMITER ;;
CREATE TRIGGER watch AFTER INSERT ON notes FOR EACH ROW
BEGIN INSERT INTO log (what) VALUES (CONCAT('; note ', NEW.id, ' 🐘')); END;;
CREATE PROCEDURE tidy(IN days INT, OUT gone INT) COMMENT 'it''s tidy'
BEGIN DELETE FROM log WHERE id < days; SET gone = ROW_COUNT(); END;;
CREATE FUNCTION `twice $é`(x INT) RETURNS INT DETERMINISTIC RETURN x * 2;;
CREATE VIEW doubled AS SELECT id, `twice $é`(id) AS twice FROM people;;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO
BEGIN CALL tidy(5, @x); END;;
DELIMITER ;
"""
)
_MARIADB = """
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 7;
SELECT NEXTVAL(numbers);
CREATE TABLE kept (id INT, name TEXT) WITH SYSTEM VERSIONING;
INSERT INTO kept VALUES (1, 'now');
"""
_HASHED = {
    "routines": (
        "routine_schema",
        "routine_name, routine_type, routine_definition, sql_mode, definer",
    ),
    "triggers": (
        "trigger_schema",
        "trigger_name, event_object_table, action_timing, action_statement, sql_mode, definer",
    ),
    "events": ("event_schema", "event_name, event_definition, interval_value, starts, definer"),
    "columns": (
        "table_schema",
        "table_name, column_name, column_type, column_default, extra, generation_expression",
    ),
}


def fill(server: MySQLServer, database: str) -> None:
    server.sql(_COMMON + (_MARIADB if server.is_mariadb else ""), database)


def fingerprint(server: MySQLServer, database: str) -> dict[str, str]:
    """Definitions and contents of everything in a database, but for its own name."""
    found: dict[str, str] = {}
    literal = f"_utf8mb4 0x{database.encode().hex()}"
    listed = server.sql(
        "SELECT HEX(table_name), table_type FROM information_schema.tables "
        f"WHERE table_schema = {literal} ORDER BY 1"
    )
    for line in listed.splitlines():
        name, kind = line.split("\t")
        table = bytes.fromhex(name).decode()
        found[f"definition of {table}"] = server.sql(f"SHOW CREATE TABLE {quoted(table)}", database)
        if kind == "SEQUENCE":
            found[f"next of {table}"] = server.sql(f"SELECT * FROM {quoted(table)}", database)
            continue
        # MySQL 5.7 gives two equal tables with a virtual column different checksums, and MariaDB
        # counts the time of every row's version.
        if kind != "VIEW" and table not in {"people", "kept"}:
            found[f"checksum of {table}"] = server.sql(
                f"CHECKSUM TABLE {quoted(table)} EXTENDED", database
            )
        found[f"rows of {table}"] = server.sql(f"SELECT * FROM {quoted(table)}", database)
    for what, (schema, columns) in _HASHED.items():
        found[what] = server.sql(
            f"SELECT {columns} FROM information_schema.{what} WHERE {schema} = {literal} "
            f"ORDER BY {columns}"
        )
    return {key: value.replace(database, "DATABASE") for key, value in found.items()}
