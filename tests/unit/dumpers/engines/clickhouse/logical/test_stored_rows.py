import io
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from dumpers.engines.clickhouse.logical import bundles
from dumpers.engines.clickhouse.logical.stored_rows import has_rows, read_tables
from dumpers.engines.protocol import StoredDump
from tests.unit.dumpers.engines.clickhouse.parts import Given, archive


def piece(
    *databases: str, data: bytes = b"", ending: str = ".native", **metadata: Any
) -> StoredDump:
    tables = [{"database": database, "table": "t", "rows": 1} for database in databases]
    return StoredDump(
        name="main",
        ending=ending,
        size=len(data),
        metadata={"tables": tables, **metadata} if databases else metadata,
        open=lambda: nullcontext(io.BytesIO(data)),
    )


def test_the_rows_of_one_table_are_its_whole_object() -> None:
    of = piece("d", data=bytes(600_000))
    with of.open() as reader:
        [(table, blocks)] = read_tables(of, reader)
        assert table["table"] == "t"
        assert b"".join(blocks) == bytes(600_000)


def test_packed_tables_come_one_after_the_other_however_they_are_listed() -> None:
    data = archive(Given("a/b", b"1" * 1000), Given("none", b""), Given("c", b"3"))
    tables = [{"table": name, "entry": bundles.entry("d", name)} for name in ("c", "none", "a/b")]
    of = piece(data=data, ending=".tar", tables=tables)
    with of.open() as reader:
        found = [(table["table"], b"".join(blocks)) for table, blocks in read_tables(of, reader)]
    assert found == [("a/b", b"1" * 1000), ("none", b""), ("c", b"3")]


def test_packed_tables_that_nobody_reads_are_passed_over() -> None:
    data = archive(Given("a", b"1" * 1000), Given("c", b"3"))
    tables = [{"table": name, "entry": bundles.entry("d", name)} for name in "ac"]
    of = piece(data=data, ending=".tar", tables=tables)
    with of.open() as reader:
        found = [
            b"".join(blocks) for table, blocks in read_tables(of, reader) if table["table"] == "c"
        ]
    assert found == [b"3"]


@pytest.mark.parametrize(
    ("rows", "loaded"),
    [
        ({"rows": 0}, False),
        ({"rows": 1}, True),
        # The first came between the two counts.
        ({"rows": 0, "rows_at_most": 5}, True),
        ({"rows": 2, "rows_at_most": 5}, True),
    ],
)
def test_tables_that_may_have_rows_are_loaded(rows: Mapping[str, int], *, loaded: bool) -> None:
    assert has_rows(rows) is loaded
