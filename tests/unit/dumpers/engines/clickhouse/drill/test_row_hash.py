"""Digests of rows in SQL."""

from collections.abc import Callable

import pytest

from dumpers.engines.clickhouse.drill.row_hash import Column, row_hash


def takes(*words: str) -> Callable[[Column, str], bool]:
    """A server that takes expressions unless one of these words is in them."""
    return lambda _, text: not any(word in text for word in words)


def hashed(type_: str, *unknown: str) -> str:
    """What stands for the column in the first hash of a row."""
    found = row_hash([Column("c", type_)], takes(*unknown)).exact[0]
    return found.removeprefix("sum(cityHash64(1, ").removesuffix("))")


@pytest.mark.parametrize(
    ("type_", "expression"),
    [
        ("UInt64", "`c`"),
        ("String", "`c`"),
        ("DateTime('Europe/Paris')", "`c`"),
        ("Enum8('a, (b' = 1, 'c\\'' = -2)", "`c`"),
        ("Array(Array(FixedString(3)))", "`c`"),
        ("LowCardinality(String)", "`c`"),
        (
            "Nullable(UInt8)",
            "isNull(`c`), if(isNull(`c`), toUInt64(0), cityHash64(assumeNotNull(`c`)))",
        ),
        ("Array(Nullable(UInt8))", "formatRow('RowBinary', `c`)"),
        ("Tuple(UInt8, String)", "formatRow('RowBinary', `c`)"),
        ("Map(String, UInt8)", "formatRow('RowBinary', `c`)"),
        ("JSON(max_dynamic_paths=2)", "isNull(`c`), ifNull(toString(`c`), '')"),
        ("Nullable(JSON)", "isNull(`c`), ifNull(toString(`c`), '')"),
        ("Array(JSON)", "isNull(`c`), ifNull(toString(`c`), '')"),
        ("Tuple(a JSON, b Object('json'))", "isNull(`c`), ifNull(toString(`c`), '')"),
        ("Tuple(a Enum8('JSON' = 1))", "formatRow('RowBinary', `c`)"),
        ("Tuple(`an Object` UInt8)", "formatRow('RowBinary', `c`)"),
    ],
)
def test_the_best_way_for_a_type(type_: str, expression: str) -> None:
    assert hashed(type_) == expression


def test_old_servers_hash_texts() -> None:
    text = "isNull(`c`), ifNull(toString(`c`), '')"
    assert hashed("Tuple(UInt8, String)", "formatRow") == text


def test_states_are_compared_by_their_results_too() -> None:
    columns = [Column("k", "UInt8"), Column("s", "AggregateFunction(groupUniqArray, String)")]
    found = row_hash(columns, takes())
    assert len(found.sums) == 4
    assert all("finalizeAggregation" not in text for text in found.exact)
    assert all("arraySort(finalizeAggregation(`s`))" in text for text in found.by_result)


def test_results_that_are_no_lists_are_not_sorted() -> None:
    columns = [Column("s", "AggregateFunction(1, sumMap, Array(UInt8), Array(UInt8))")]
    found = row_hash(columns, takes("arraySort"))
    assert all("toString(finalizeAggregation(`s`))" in text for text in found.by_result)


@pytest.mark.parametrize(
    "type_", ["Map(String, AggregateFunction(sum, UInt8))", "Array(AggregateFunction(uniq, UInt8))"]
)
def test_states_within_other_values_have_no_results(type_: str) -> None:
    found = row_hash([Column("k", "UInt8"), Column("s", type_)], takes())
    assert "`s`" in found.exact[0]
    assert found.by_result[0] == "sum(cityHash64(2, `k`))"
    assert found.within == ("s",)
    # And what only is called so is none.
    plain = row_hash([Column("s", "Array(SimpleAggregateFunction(sum, UInt64))")], takes())
    assert (plain.by_result, plain.within) == (plain.exact, ())


def test_what_no_function_takes_is_said() -> None:
    columns = [Column("k", "UInt8"), Column("odd", "Something")]
    found = row_hash(columns, lambda column, _: column.name != "odd")
    assert found.left_out == ("odd",)
    assert found.exact == ("sum(cityHash64(1, `k`))", "sum(intHash64(cityHash64(1, `k`)))")
    assert found.by_result == found.exact
