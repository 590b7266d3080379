"""The fingerprint of what mysqldump and mariadb-dump write, whatever its blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.mysql.output.fingerprint import DUMP_FORM
from dumpers.engines.script_scanner import ScriptScanner

DUMP = rb"""-- MySQL dump 10.13  Distrib 9.1.0, for Linux (x86_64)
--
-- Host: db.shop    Database: shop
-- ------------------------------------------------------
-- Server version	9.1.0

/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `people` (`id` int) COMMENT 'INTO `';
INSERT INTO `people` VALUES (1,'a;\n'),(2,'INSERT INTO `other` VALUES (1);');
INSERT INTO `people` VALUES (3,'b');
INSERT  IGNORE INTO `a``b;
c` (`x`) VALUES
(1),
(2);
REPLACE INTO `shop`.`people` VALUES (1,'c');
--
-- Dumping routines for database 'shop'
--
DELIMITER ;;
CREATE PROCEDURE p() BEGIN
INSERT INTO `log` VALUES (1);
INSERT INTO `log` VALUES (2);
-- Server version	9.1.0
END ;;
DELIMITER ;
-- Dump completed on 2026-01-02  3:04:05
"""
NAMES = {"`people`", "`a``b;\nc`", "`shop`.`people`"}


def scan(*blocks: bytes) -> Fingerprint:
    scanner = ScriptScanner(DUMP_FORM)
    for block in blocks:
        scanner.update(block)
    return scanner.end()


WHOLE = scan(DUMP)


def test_rows_are_those_of_statements_at_the_start_of_a_line() -> None:
    assert set(WHOLE.tables) == NAMES
    assert {table.rows for table in WHOLE.tables.values()} == {None}


@given(st.integers(1, 80), st.integers(0, 80))
def test_blocks_of_any_size_do_not_matter(size: int, first: int) -> None:
    blocks = (DUMP[at : at + size] for at in range(first, len(DUMP), size))
    assert scan(DUMP[:first], *blocks) == WHOLE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Distrib 9.1.0", b"Distrib 8.4.3"),
        (b"version\t9.1.0\n\n", b"version\t11.4.4-MariaDB\n\n"),
        (b"Host: db.shop    Database: shop", b"Host: 127.0.0.1    Database: copy"),
        (b"for database 'shop'", b"for database 'copy'"),
        (b"2026-01-02  3:04:05", b"2026-02-03 13:04:05"),
    ],
)
def test_what_is_of_the_run_does_not_matter(old: bytes, new: bytes) -> None:
    assert scan(DUMP.replace(old, new)) == WHOLE


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (b"'a;", b"'b;", "`people`"),
        (b"(3,'b')", b"(3,'c')", "`people`"),
        (b"(1),\n(2)", b"(1)", "`a``b;\nc`"),
        (b"`log` VALUES (1)", b"`log` VALUES (3)", ""),
        # Another order, another place and what looks like a line of the tool: all of it is a body.
        (
            b"`log` VALUES (1);\nINSERT INTO `log` VALUES (2)",
            b"`log` VALUES (2);\nINSERT INTO `log` VALUES (1)",
            "",
        ),
        (b"-- Server version\t9.1.0\nEND", b"-- Server version\t8\nEND", ""),
        (b"(`id` int)", b"(`id` bigint)", ""),
        (b"COMMENT", b"comment", ""),
    ],
)
def test_what_differs_shows_in_its_place_alone(old: bytes, new: bytes, place: str) -> None:
    found = scan(DUMP.replace(old, new))
    differ = {name for name in NAMES if found.tables[name] != WHOLE.tables[name]}
    assert (differ, found.rest == WHOLE.rest) == ({place} - {""}, bool(place))


def test_rows_at_another_place_are_another_dump() -> None:
    dump, row = DUMP + DUMP, b"INSERT INTO `people` VALUES (3,'b');\n"
    first, second = dump.index(row), dump.rindex(row)
    without = [dump[:at] + dump[at + len(row) :] for at in (first, second)]
    assert scan(without[0]) != scan(without[1])


def test_a_row_may_be_longer_than_any_block() -> None:
    dump = DUMP.replace(b"(3,'b')", b"(3,'" + b"b" * (3 << 20) + b"')")
    found = scan(*(dump[at : at + 65536] for at in range(0, len(dump), 65536)))
    assert found == scan(dump)
    assert found.rest == WHOLE.rest
