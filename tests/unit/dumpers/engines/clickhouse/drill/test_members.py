"""What tables consist of, in statements of several releases."""

from collections.abc import Sequence

import pytest

from dumpers.engines.clickhouse.drill.members import differing_members

OLD = (
    "CREATE TABLE a.t ( index UInt8,  n.a Array(UInt8),  d Decimal(9, 2) DEFAULT toDecimal32(1, 2))"
    " ENGINE = MergeTree ORDER BY index SETTINGS index_granularity = 8192"
)
NEW = (
    "CREATE TABLE a.t\n(\n `index` UInt8 CODEC(ZSTD(1)),\n `n.a` Array(UInt8),\n"
    " `d` Decimal(9, 2) DEFAULT toDecimal32(1, 2),\n"
    " INDEX auto_minmax_index_d d TYPE minmax GRANULARITY 1\n)\nENGINE = MergeTree\n"
    "ORDER BY index"
)
MORE = (
    "CREATE TABLE a.t (k UInt8, s String, INDEX i s TYPE minmax GRANULARITY 1, "
    "CONSTRAINT c CHECK k > 0, PROJECTION p (SELECT k ORDER BY s)) ENGINE = MergeTree ORDER BY k"
)


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (OLD, NEW, []),
        (MORE, MORE.replace("minmax GRANULARITY 1", "minmax"), []),
        (OLD, NEW.replace(" `n.a` Array(UInt8),\n", ""), ["columns"]),
        (MORE, MORE.replace("INDEX i s TYPE minmax GRANULARITY 1, ", ""), ["indices"]),
        (MORE, MORE.replace("PROJECTION p", "PROJECTION q"), ["projections"]),
        (MORE, MORE.replace("MergeTree", "SummingMergeTree"), ["engines"]),
        (MORE, MORE.replace("s String", "t String").replace("= Merge", "= XMerge"), None),
        ("CREATE VIEW a.v AS SELECT 1 AS k", "CREATE VIEW a.v (`k` UInt8) AS SELECT 1 AS k", []),
        (
            "CREATE VIEW a.v (k UInt8) AS SELECT 1 AS k",
            "CREATE VIEW a.v (k UInt8, l UInt8) AS SELECT 1 AS k, 2 AS l",
            ["columns"],
        ),
        ("CREATE DATABASE d ENGINE = Atomic", "CREATE DATABASE d ENGINE = Lazy", []),
        ("CREATE FUNCTION f AS x -> x", "CREATE FUNCTION f AS x -> 1", []),
    ],
)
def test_what_differs(one: str, other: str, found: Sequence[str] | None) -> None:
    assert differing_members(one, other) == (["columns", "engines"] if found is None else found)
