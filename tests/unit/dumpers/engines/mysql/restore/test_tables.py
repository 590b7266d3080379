"""Cutting chosen tables out of a dump by the comments of the tools."""

import io

import pytest

from dumpers.engines.mysql.restore.tables import TableCut

BODY = "--\n-- Table structure for table `a`\n--\n"
DUMP = (
    "-- MySQL dump 10.13\n--\n-- Host: localhost    Database: shop\n-- ------\n/*!40101 SET x */;\n"
    "\n--\n-- Table structure for table `a`\n--\n\nCREATE TABLE `a` (x INT);\n"
    "\n--\n-- Dumping data for table `a`\n--\n\nINSERT INTO `a` VALUES ('`b`');\n"
    f"DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON `a` BEGIN\n{BODY}END ;;\nDELIMITER ;\n"
    "\n--\n-- Table structure for table `two\n-- lines ``b`\n--\n\nCREATE TABLE odd;\n"
    "\n--\n-- Temporary view structure for view `v`\n--\n\nSET @saved;\n"
    "\n--\n-- Dumping routines for database 'shop'\n--\nDELIMITER ;;\nCREATE PROCEDURE p() BEGIN\n"
    f"\n{BODY}END ;;\nDELIMITER ;\n"
    "\n--\n-- Final view structure for view `v`\n--\n\nCREATE VIEW v;\n"
    "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed\n"
)


class Slow(io.BytesIO):
    def __init__(self, data: bytes, at_once: int) -> None:
        super().__init__(data)
        self.at_once = at_once

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.at_once)


def cut(*names: str, at_once: int = 1 << 20) -> tuple[str, list[str]]:
    made = TableCut(names)
    text = b"".join(iter(made.reader(Slow(DUMP.encode(), at_once)).read, b"")).decode()
    return text, made.lacking()


@pytest.mark.parametrize("at_once", [1, 10, 1 << 20])
def test_a_table_comes_with_its_rows_and_triggers(at_once: int) -> None:
    text, lacking = cut("a", at_once=at_once)
    assert lacking == []
    assert text.startswith("-- MySQL dump")
    assert "SET x" in text
    assert "CREATE TABLE `a`" in text
    assert "INSERT INTO `a`" in text
    assert f"BEGIN\n{BODY}END ;;\nDELIMITER ;\n" in text
    for gone in ("odd", "VIEW v", "PROCEDURE", "saved"):
        assert gone not in text


@pytest.mark.parametrize("at_once", [1, 10, 1 << 20])
@pytest.mark.parametrize(
    "defaults",
    [
        "/*!80000 ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin */;\n",
        "/*M!100500 ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin COMMENT = 'a\n*b' */;\n",
    ],
)
@pytest.mark.parametrize("opening", ["", "/*!40101 SET NAMES utf8mb4 */;\n"])
def test_a_live_database_keeps_what_it_has_by_itself(
    opening: str, defaults: str, at_once: int
) -> None:
    def cut_of(*, is_live: bool) -> str:
        made = TableCut(["a"], is_live=is_live)
        reader = made.reader(Slow(f"{opening}{defaults}{DUMP}".encode(), at_once))
        return b"".join(iter(reader.read, b"")).decode()

    text, _ = cut("a")
    assert cut_of(is_live=True) == opening + text
    assert cut_of(is_live=False) == opening + defaults + text


def test_odd_names_and_views() -> None:
    text, lacking = cut("two\nlines `b", "v", "nothing")
    assert lacking == ["nothing"]
    assert "CREATE TABLE odd" in text
    assert "CREATE VIEW v" in text
    assert "SET @saved" in text
    assert "INSERT" not in text
    assert "PROCEDURE" not in text


def test_names_are_compared_as_the_server_does() -> None:
    made = TableCut(["A"], fold=str.casefold)
    assert b"CREATE TABLE `a`" in b"".join(iter(made.reader(io.BytesIO(DUMP.encode())).read, b""))
    assert made.lacking() == []
