import io
from contextlib import nullcontext

import pytest

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.engines.drilling.protocol import Comparison, DrilledObject, TableVerdict
from dumpers.engines.drilling.rescanning import compare_tables, weigh
from dumpers.engines.protocol import SourceInfo, StoredDump


def of(**tables: tuple[str, int | None]) -> Fingerprint:
    return Fingerprint(
        algorithm="xxh3-128",
        tables={
            name: TableDigest(digest=found, rows=rows) for name, (found, rows) in tables.items()
        },
        rest="r",
    )


def test_each_table_of_either_dump_has_a_verdict() -> None:
    dumped = of(same=("a", 1), value=("a", 1), row=("a", 2), gone=("a", 1), uncounted=("a", None))
    restored = of(same=("a", 1), value=("b", 1), row=("b", 1), new=("a", 3), uncounted=("b", None))
    found = {item.name: item for item in compare_tables(dumped, restored, "shop")}
    assert {name for name, item in found.items() if item.good} == {"shop.same"}
    assert found["shop.value"].why == found["shop.uncounted"].why == "its rows differ"
    assert found["shop.row"].why == "it has 1 rows instead of 2"
    assert (found["shop.gone"].rows, found["shop.new"].rows) == (None, 3)
    assert "not there" in found["shop.gone"].why
    assert "were not dumped" in found["shop.new"].why


POSTGRES, TOOL = "16.4 (Debian 16.4-1.pgdg120+1)", "pg_dump (PostgreSQL) 16.4 (Debian 16.4-1)"


def dumped(server: str, tool: str) -> DrilledObject:
    stored = StoredDump(name="a", ending=".sql", size=0, open=lambda: nullcontext(io.BytesIO()))
    return DrilledObject(stored=stored, fingerprint=None, server_version=server, tool_version=tool)


@pytest.mark.parametrize(
    ("server", "tool", "is_fault"),
    [
        (POSTGRES, TOOL, True),
        ("16.4", "pg_dump (PostgreSQL) 16.4", True),
        ("", "", True),
        ("16.3", TOOL, False),
        (POSTGRES, "pg_dump (PostgreSQL) 16.10", False),
    ],
)
def test_only_between_releases_is_other_structure_no_fault(
    server: str, tool: str, *, is_fault: bool
) -> None:
    now = SourceInfo(server_version=POSTGRES, tool_version=TOOL, estimate=0)
    good = TableVerdict(name="t", rows=1, good=True)
    bad = TableVerdict(name="t", rows=1, good=False, why="its rows differ")
    then = dumped(server, tool)
    found = weigh(["r"], others=[], tables=[good], dumped=then, restored=now)
    assert (found.faults == ("r",), bool(found.unproved)) == (is_fault, not is_fault)
    for others, table in ((["o"], good), ([], bad)):
        kept = weigh(["r"], others=others, tables=[table], dumped=then, restored=now)
        assert (kept.faults, kept.unproved) == (("r", *others), ())
    assert weigh([], others=[], tables=[good], dumped=then, restored=now).unproved == ()


def test_a_comparison_of_nothing_is_not_good() -> None:
    assert Comparison(method="read", tables=()).good
    assert not Comparison(method="", tables=()).good
