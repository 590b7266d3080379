"""The objects of a database that was read by several streams."""

import contextlib
import io
from typing import Any

import pytest

from dumpers.engines.mysql.parallel.parts import (
    COUNT,
    PROGRAMS,
    ROWS,
    SECTION,
    TABLES,
    TRIGGERS,
    in_order,
    part_name,
    shares_of,
)
from dumpers.engines.mysql.parallel.plan import Share
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError


def part(section: str, number: int = 0, **metadata: Any) -> StoredDump:
    return StoredDump(
        name="shop",
        part=(part_name(section, number),),
        ending=".sql",
        size=1,
        metadata={SECTION: section, **metadata},
        open=lambda: contextlib.nullcontext(io.BytesIO()),
    )


WHOLE = [
    part(TABLES, **{COUNT: 5}),
    part(ROWS, 0, tables=["t"], range={"column": "id", "first": None, "end": 9}),
    part(ROWS, 1, tables=["t"], range={"column": "id", "first": 9, "end": None}),
    part(TRIGGERS),
    part(PROGRAMS),
]


def test_names_sort_as_they_load() -> None:
    assert [*in_order(WHOLE[::-1])] == WHOLE
    assert part_name(ROWS, 9999) < part_name(TRIGGERS)


@pytest.mark.parametrize("place", range(len(WHOLE)))
def test_a_part_that_is_missing_is_told(place: int) -> None:
    with pytest.raises(TargetRefusedError, match="not all of them are there"):
        in_order([*WHOLE[:place], *WHOLE[place + 1 :]])


def test_other_objects_stay_as_they_are() -> None:
    plain = StoredDump(
        name="shop",
        part=("1-tables",),
        ending=".sql",
        size=1,
        open=lambda: contextlib.nullcontext(io.BytesIO()),
    )
    assert in_order([plain]) == (plain,)
    assert shares_of([plain]) == {}


def test_how_it_was_dealt_out_is_read_from_the_objects() -> None:
    assert shares_of(WHOLE[::-1]) == {
        "shop": (
            Share(tables=("t",), size=0, column="id", end=9),
            Share(tables=("t",), size=0, column="id", first=9),
        )
    }
