"""Digests of rows in SQL, whatever the types of their columns, which add up in any order.

A row has a hash of 64 bits; a table has the sum of these and the sum of what another function makes
of each, so that rows count as often as they are there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dumpers.engines.clickhouse.server.sql import identifier

# Both are in every release since 18.16; the first takes any number of arguments.
_OF_ROW, _OF_HASH = "cityHash64", "intHash64"
# Types whose values are hashed as they are; servers refuse, or hash by address, some of the others.
_PLAIN = (
    r"U?Int(?:8|16|32|64|128|256)|Float(?:32|64)|String|FixedString\(\d+\)|Bool|UUID|IPv[46]"
    r"|Date(?:32)?|DateTime(?:\('[^']*'\))?|DateTime64\([^()]*\)|Decimal(?:\d*)\([^()]*\)"
    r"|Enum(?:8|16)\((?:'(?:[^'\\]|\\.)*' = -?\d+(?:, )?)+\)"
)
_DIRECT = re.compile(rf"(?:Array\()*(?:LowCardinality\()?(?:{_PLAIN})\)*")
_NULLABLE = re.compile(rf"(?:LowCardinality\()?Nullable\((?:{_PLAIN})\)*")
# Their binary form depends on how their parts lie on the disk, their text does not.
_BY_TEXT = re.compile(r"\b(?:JSON|Object)\b")
# A boundary stands before it, unlike in SimpleAggregateFunction, whose values are plain.
_STATE = re.compile(r"\bAggregateFunction\(")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name and type, as system.columns has them."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowHash:
    """What is selected of a table to digest its rows: their number, and sums of their hashes.

    `exact` are the sums over all bytes. `by_result` are those with states of aggregate functions
    by their results: two servers may write one state in several ways. Without results are the
    states `within` values of other types, which have no part in them. Both are the same where a
    table has no states. `left_out` are the columns that this server cannot hash.
    """

    exact: tuple[str, ...]
    by_result: tuple[str, ...]
    left_out: tuple[str, ...]
    within: tuple[str, ...] = ()

    @property
    def sums(self) -> tuple[str, ...]:
        """All sums that have to be taken."""
        return tuple(dict.fromkeys((*self.exact, *self.by_result)))


def row_hash(columns: Sequence[Column], can: Callable[[Column, str], bool]) -> RowHash:
    """The digest of rows of these columns.

    `can` says whether the server takes an expression of a column.
    """
    chosen: dict[str, str] = {}
    results: dict[str, str] = {}
    for column in columns:
        for text in _ways(column):
            if can(column, text):
                chosen[column.name] = text
                break
        if _STATE.match(column.type):
            for result in _results(column):
                if can(column, result):
                    results[column.name] = result
                    break
        elif _STATE.search(_QUOTED.sub("", column.type)) and column.name in chosen:
            results[column.name] = ""
    return RowHash(
        exact=_sums(chosen, {}),
        by_result=_sums(chosen, results),
        left_out=tuple(column.name for column in columns if column.name not in chosen),
        within=tuple(name for name, result in results.items() if not result),
    )


def _sums(chosen: Mapping[str, str], results: Mapping[str, str]) -> tuple[str, ...]:
    parts = [results.get(name, text) for name, text in chosen.items()]
    # The number keeps a row of no columns a row.
    row = f"{_OF_ROW}({', '.join((str(len(chosen)), *filter(None, parts)))})"
    return f"sum({row})", f"sum({_OF_HASH}({row}))"


def _ways(column: Column) -> Sequence[str]:
    """How a column's value becomes what any hash function takes, the best way first."""
    name = identifier(column.name)
    binary = f"formatRow('RowBinary', {name})"
    text = f"isNull({name}), ifNull(toString({name}), '')"
    if _BY_TEXT.search(_QUOTED.sub("", column.type)):
        return (text, binary)
    if _DIRECT.fullmatch(column.type):
        return (name, binary, text)
    if _NULLABLE.fullmatch(column.type):
        # A hash of NULL is NULL, which would leave the row out of the sum.
        value = f"if(isNull({name}), toUInt64(0), {_OF_ROW}(assumeNotNull({name})))"
        return (f"isNull({name}), {value}", binary, text)
    return (binary, text)


def _results(column: Column) -> Sequence[str]:
    """How a state's result becomes what a hash function takes: lists sorted, where it is one."""
    result = f"finalizeAggregation({identifier(column.name)})"
    return [
        f"isNull({text}), ifNull(toString({text}), '')" for text in (f"arraySort({result})", result)
    ]
