"""The objects of several streams as the one dump that they are."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.postgresql.options import GLOBALS_ENDING, PLAIN_ENDING
from dumpers.engines.postgresql.parallel.parts import (
    DATA,
    POST_DATA,
    PRE_DATA,
    join_parts,
    part_name,
)
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import Reader


def part(
    name: str,
    data: bytes = b"",
    *,
    database: str = "shop",
    metadata: Mapping[str, object] | None = None,
    opened: list[str] | None = None,
) -> StoredDump:
    @contextmanager
    def open_() -> Iterator[Reader]:
        if opened is not None:
            opened.append(name)
        yield io.BytesIO(data)
        if opened is not None:
            opened.append(f"end of {name}")

    return StoredDump(
        name=database,
        part=(name,),
        ending=PLAIN_ENDING,
        size=len(data),
        metadata=metadata or {},
        open=open_,
    )


def first(count: int, **more: object) -> Mapping[str, object]:
    return {"section": PRE_DATA, "parts": count, **more}


def test_names_sort_in_the_order_of_a_load() -> None:
    names = [
        part_name(PRE_DATA),
        *(part_name(DATA, number) for number in range(1200)),
        part_name(POST_DATA),
    ]
    assert names == sorted(names)
    assert names[:3] == ["1-pre-data", "2-data-0000", "2-data-0001"]


def test_parts_are_read_one_after_the_other_each_to_its_end() -> None:
    opened: list[str] = []
    pieces = [
        part("3-post-data", b"three", opened=opened),
        part("1-pre-data", b"one", metadata=first(3, owner="me"), opened=opened),
        part("2-data-0000", b"two", opened=opened),
    ]
    [joined] = join_parts(pieces)
    assert (joined.name, joined.part, joined.size) == ("shop", (), 11)
    assert joined.metadata["owner"] == "me"
    with joined.open() as reader:
        assert b"".join(iter(lambda: reader.read(2), b"")) == b"onetwothree"
        assert reader.read() == b""
    assert opened == [
        *("1-pre-data", "end of 1-pre-data", "2-data-0000", "end of 2-data-0000"),
        *("3-post-data", "end of 3-post-data"),
    ]


def test_others_stay_as_they_are() -> None:
    whole = StoredDump(name="whole", ending=PLAIN_ENDING, size=0, open=part("x").open)
    roles = StoredDump(name="shop", ending=GLOBALS_ENDING, size=0, open=part("x").open)
    pieces = [
        *(part(name, database="two") for name in ("3-post-data", "2-data-0000")),
        part("1-pre-data", database="two", metadata=first(3)),
        *(whole, roles),
    ]
    joined = join_parts(pieces)
    assert [piece.name for piece in joined] == ["two", "whole", "shop"]
    assert joined[1:] == [whole, roles]
    assert join_parts(joined) == joined
    assert join_parts([whole, roles]) == [whole, roles]


@given(st.integers(3, 9), st.data())
def test_a_part_that_is_not_there_is_missed(count: int, data: st.DataObject) -> None:
    names = [
        part_name(PRE_DATA),
        *(part_name(DATA, number) for number in range(count - 2)),
        part_name(POST_DATA),
    ]
    pieces = [
        part(name, metadata=first(count) if name == names[0] else {"section": DATA})
        for name in names
    ]
    assert len(join_parts(pieces)) == 1
    pieces.pop(data.draw(st.integers(0, count - 1)))
    with pytest.raises(TargetRefusedError, match="not all of them are there"):
        join_parts(pieces)


def test_what_a_part_raises_is_raised() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise TargetRefusedError("its sha256 is another")

    @contextmanager
    def broken() -> Iterator[Reader]:
        yield Broken()

    parts: Sequence[StoredDump] = [
        part("1-pre-data", b"one", metadata=first(2)),
        StoredDump(name="shop", part=("2-x",), ending=PLAIN_ENDING, size=1, open=broken),
    ]
    [joined] = join_parts(parts)
    with joined.open() as reader:
        assert reader.read() == b"one"
        for _ in range(2):
            with pytest.raises(TargetRefusedError, match="sha256"):
                reader.read()
