import io
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dumpers.engines.clickhouse.logical import bundles
from dumpers.engines.clickhouse.logical.bundles import BundleStream
from dumpers.engines.clickhouse.logical.plan import TableRead
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.table_read import DumpContext, Reading
from dumpers.runtime.errors import KsnapshotError, SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.unit.dumpers.engines.clickhouse.parts import Given, archive, item, member, table

MIB = 1 << 20


def small(number: int, size: int | None = 1, label: str = "s1") -> TableRead:
    return item(of=table(f"t{number}", size=size), label=label)


def names(items: Sequence[TableRead]) -> list[str]:
    return [one.backup_table.table.name for one in items]


def read(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|") as opened:
        for entry in opened:
            content = opened.extractfile(entry)
            assert content is not None
            assert entry.isreg()
            found[entry.name] = content.read()
    return found


@pytest.mark.parametrize(
    ("sizes", "packed"),
    [
        ([0] * 20, 0),
        ([0] * 21, 21),
        ([MIB] * 21, 21),
        ([MIB + 1] * 21, 0),
        # A size that nobody knows may be any.
        ([None] * 21, 0),
        ([0] * 20 + [MIB + 1, None], 0),
        ([0] * 21 + [MIB + 1, None], 21),
    ],
)
def test_small_tables_are_packed_where_there_are_many(
    sizes: Sequence[int | None], packed: int
) -> None:
    items = [small(number, size) for number, size in enumerate(sizes)]
    alone, together = bundles.pack(items)
    assert names(alone) == names(items[packed:])
    assert [names(each) for each in together] == ([names(items[:packed])] if packed else [])


def test_each_shard_and_replica_is_packed_for_itself() -> None:
    items = [small(number, label=label) for number in range(21) for label in ("s1", "s2", "s1r2")]
    few = [small(number, label="s3") for number in range(20)]
    alone, together = bundles.pack([*items, *few])
    assert names(alone) == names(few)
    assert [{one.label for one in each} for each in together] == [{"s1"}, {"s2"}, {"s1r2"}]
    assert {len(each) for each in together} == {21}


def test_what_a_restore_skips_is_packed_for_itself() -> None:
    items = [
        replace(small(number, label="s1r2"), redundant=redundant)
        for number in range(21)
        for redundant in (True, False)
    ]
    alone, together = bundles.pack(items)
    assert alone == ()
    assert [{one.redundant for one in each} for each in together] == [{True}, {False}]


@pytest.mark.parametrize(
    ("count", "size", "packed"),
    [
        (500, 0, [500]),
        (501, 0, [500, 1]),
        (1200, 1, [500, 500, 200]),
        (64, MIB, [64]),
        (65, MIB, [64, 1]),
        (129, MIB, [64, 64, 1]),
    ],
)
def test_a_pack_has_an_end(count: int, size: int, packed: list[int]) -> None:
    items = [small(number, size) for number in range(count)]
    alone, together = bundles.pack(items)
    assert not alone
    assert [len(each) for each in together] == packed
    assert names([one for each in together for one in each]) == names(items)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 2 * MIB)), st.sampled_from(["s1", "s2", "s1r2"])
        ),
        max_size=100,
    )
)
def test_every_table_is_stored_once(sizes: list[tuple[int | None, str]]) -> None:
    items = [small(number, size, label) for number, (size, label) in enumerate(sizes)]
    alone, together = bundles.pack(items)
    assert sorted(names([*alone, *(one for each in together for one in each)])) == sorted(
        names(items)
    )
    assert all(len({one.label for one in each}) == 1 for each in together)


CONTENTS = st.binary(max_size=2000)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1), CONTENTS)))
@settings(deadline=None)
def test_tarfile_reads_every_table_under_its_name(rows: list[tuple[str, str, bytes]]) -> None:
    tables = {(database, name): data for database, name, data in rows}
    found = read(archive(*(Given(n, data, database=d) for (d, n), data in tables.items())))
    assert found == {bundles.entry(*name): data for name, data in tables.items()}


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 300_000])
def test_every_size_is_filled_up_to_blocks(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    whole = archive(Given("a", data), Given("b", b"x"))
    assert len(whole) % tarfile.BLOCKSIZE == 0
    assert read(whole) == {"d/a.native": data, "d/b.native": b"x"}


def test_the_same_rows_are_the_same_bytes() -> None:
    assert archive(Given("a", b"1")) == archive(Given("a", b"1"))


ODD = (
    "t`a/b 🐘",
    "two\nlines",
    "n" * 150,
    "ü" * 300,
    "%41",
    "A",
    ".",
    "..",
    "-x",
    "a b",
    "'",
    "\\",
)


def test_the_stock_tar_takes_out_one_table_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "small-1.tar"
    file.write_bytes(archive(*(Given(name, name.encode(), database="o/d `b") for name in ODD)))
    for name in ODD:
        entry = bundles.entry("o/d `b", name)
        assert entry.isascii()
        done = subprocess.run(
            ["tar", "-xOf", file, entry], capture_output=True, check=False, timeout=60
        )
        assert (done.stdout, done.stderr, done.returncode) == (name.encode(), b"", 0)


def test_a_table_that_breaks_off_is_taken_from_its_next_copy() -> None:
    sick, well = Given("a", b"1", fails=1), Given("b", b"2")
    assert read(archive(sick, well)) == {"d/a.native": b"1", "d/b.native": b"2"}
    assert (sick.asked, sick.opened, well.opened) == (["gone"], 2, 1)


def test_without_another_copy_the_pack_fails() -> None:
    class Last(Given):
        def can_retry(self, error: KsnapshotError) -> bool:
            super().can_retry(error)
            return False

    last = Last("a", b"1", fails=1)
    with pytest.raises(SourceFailedError, match="gone"):
        archive(last)
    assert last.opened == 1


def test_what_the_server_refuses_is_not_tried_again() -> None:
    refused = Given("a", b"1", fails=1)
    refused.error = SourceRefusedError("no")
    with pytest.raises(SourceRefusedError):
        archive(refused)
    assert (refused.opened, refused.asked) == (1, [])


class Endless:
    """More rows than a table that is packed may have."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        self.given += MIB
        return bytes(MIB)


def test_a_table_that_grew_is_not_held_in_memory() -> None:
    source = Endless()

    class Grown(Given):
        @contextmanager
        def open(self, interrupt: Interrupt) -> Iterator[Reader]:
            self.opened += 1
            yield source

        def can_retry(self, error: KsnapshotError) -> bool:
            return False

    with pytest.raises(SourceFailedError, match="grown beyond 32 MiB"):
        archive(Grown("a", b""))
    assert source.given == 33 * MIB


def test_the_manifest_names_each_entry() -> None:
    readings = [Given("a/b", b""), Given("c", b"")]
    told = BundleStream("main", 1, readings).metadata()
    assert told["shard"] == 1
    assert [(one["table"], one["entry"]) for one in told["tables"]] == [
        ("a/b", "d/a%2Fb.native"),
        ("c", "d/c.native"),
    ]


def test_the_table_that_is_taken_back_is_read_from_its_next_copy() -> None:
    good, bad = Given("a", b""), Given("b", b"", fails=2)
    pack = BundleStream("main", 1, [good, bad])
    with pytest.raises(SourceFailedError) as caught:
        pack.metadata()
    assert pack.can_retry(caught.value)
    assert (good.asked, bad.asked) == ([], ["gone"])
    # Of an error that is no table's, none is read again.
    assert not pack.can_retry(SourceFailedError("the store"))
    assert bad.asked == ["gone"]


def test_a_stream_says_what_is_in_it() -> None:
    session = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    readings = [
        Reading(item(member(2, 3), of=table(name, size=size), label="s2r3"), session)
        for name, size in (("a", 10), ("b", 5))
    ]
    stream = BundleStream("main", 7, readings)
    assert (stream.name, stream.part, stream.ending) == ("main", ("s2r3", "small-7"), ".tar")
    assert (stream.estimate, stream.concurrency_group) == (15, "s2")
