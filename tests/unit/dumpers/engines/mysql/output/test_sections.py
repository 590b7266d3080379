import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.mysql.output.sections import Cutter
from dumpers.engines.mysql.survey.schema import Table
from dumpers.runtime.errors import SourceFailedError

PREAMBLE = b"-- MySQL dump 10.13\n--\n-- Host: db\n\n/*!40101 SET NAMES utf8mb4 */;\n\n"
END = b"/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-11-21 16:44:08\n"
# A body may hold any line, those of the dump itself among them.
TRIGGER = (
    b"DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN\n"
    b"\n--\n-- Table structure for table `b`\n--\n\n-- Dump completed\n"
    b"END ;;\nDELIMITER ;\n"
)


def table(name: str, kind: str = "BASE TABLE") -> Table:
    return Table(name=name, kind=kind, engine="InnoDB", transactional=True)


def section(name: str, rows: bytes = b"INSERT INTO x VALUES (1);\n") -> bytes:
    return f"--\n-- Table structure for table `{name}`\n--\n\nCREATE ...;\n".encode() + rows + b"\n"


class Blocks:
    """A source that gives its bytes in blocks of these lengths, in turns."""

    def __init__(self, data: bytes, lengths: list[int]) -> None:
        self._data = io.BytesIO(data)
        self._lengths = itertools.cycle(lengths)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(next(self._lengths) if size < 0 else min(size, next(self._lengths)))


def cut(
    data: bytes, tables: list[Table], lengths: list[int] | None = None, size: int = -1
) -> list[bytes]:
    """What a dump begins with, and its sections, read by `size` bytes."""
    cutter = Cutter(Blocks(data, lengths or [1 << 20]), tables=tables)
    found = []
    for number in range(len(tables) + 1):
        if number:
            cutter.go_on()
        blocks = list(iter(lambda: cutter.read(size), b""))
        assert size < 0 or all(len(block) <= size for block in blocks)
        found.append(b"".join(blocks))
    return found


@pytest.mark.parametrize(
    ("tables", "sections"),
    [
        ([table("a")], [section("a") + END]),
        ([table("a"), table("b")], [section("a", TRIGGER), section("b") + END]),
        ([table("a"), table("b")], [section("a"), section("b", TRIGGER) + END]),
        ([table("a`b")], [section("a``b") + END]),
        ([table("x\ny")], [section("x\n-- y") + END]),
        ([table("ä$ '"), table("ä$")], [section("ä$ '"), section("ä$") + END]),
        (
            [table("s", "SEQUENCE"), table("a")],
            [b"--\n-- Sequence structure for `s`\n--\nCREATE ...;\n\n", section("a") + END],
        ),
    ],
)
@given(lengths=st.lists(st.integers(1, 4000), min_size=1), size=st.integers(1, 300))
def test_a_dump_is_cut_at_its_tables(
    tables: list[Table], sections: list[bytes], lengths: list[int], size: int
) -> None:
    assert cut(PREAMBLE + b"".join(sections), tables, lengths, size) == [PREAMBLE, *sections]


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ([section("b"), END], "'a' was to follow, and there is 'Table structure for table `b`'"),
        ([section("a"), END], "'b' was to follow, and there is 'its end'"),
        ([section("a"), section("b"), section("c"), END], "the end was to follow"),
        ([section("a"), section("a"), section("b"), END], "'b'"),
        ([section("a"), section("b"), section("b"), END], "the end was to follow"),
        ([section("a", b"DELIMITER ;;\n"), section("b"), END], "'b'"),
        ([section("a")], "'b'"),
        ([], "'a'"),
    ],
)
def test_a_dump_of_other_tables_is_none(parts: list[bytes], word: str) -> None:
    with pytest.raises(SourceFailedError, match=word):
        cut(PREAMBLE + b"".join(parts), [table("a"), table("b")])


def test_values_with_headers_in_them_are_values() -> None:
    rows = b"INSERT INTO x VALUES ('\\n--\\n-- Table structure for table `b`\\n--\\n');\n" * 9999
    found = cut(PREAMBLE + section("a", rows) + section("b") + END, [table("a"), table("b")])
    assert found[1] == section("a", rows)
