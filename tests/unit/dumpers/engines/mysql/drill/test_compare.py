import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pytest

from dumpers.contract.connection import Connection, DumpSource
from dumpers.engines.drilling.protocol import Comparison, DrilledObject
from dumpers.engines.drilling.rescanning import scan
from dumpers.engines.mysql.drill.compare import compare, options_again
from dumpers.engines.mysql.output.fingerprint import DUMP_FORM
from dumpers.engines.mysql.output.tool_stream import ToolStream
from dumpers.engines.mysql.parallel.plan import Share
from dumpers.engines.protocol import Dump, SourceInfo, StoredDump
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.runtime.errors import NotDrillableError
from dumpers.runtime.interrupt import Interrupt

SERVER = Connection(host="127.0.0.1", port=1)
OLD, NEW = "MySQL 8.0.27", "MySQL 8.0.36"
TOOL = "mysqldump  Ver 8.0.36 for Linux on x86_64"
TYPE = "utf8"
VALUE = "1"


def dump(*, type_: str = TYPE, value: str = VALUE, name: str = "`t`") -> bytes:
    return (
        "-- MySQL dump 10.13\n\n"
        f"CREATE TABLE {name} (a TEXT CHARACTER SET {type_});\n"
        f"INSERT INTO {name} VALUES ({value});\n"
        "-- Dump completed on 2026-01-01\n"
    ).encode()


def stored(
    text: bytes,
    *,
    name: str = "shop",
    part: Sequence[str] = (),
    version: str = NEW,
    is_recorded: bool = True,
) -> DrilledObject:
    known = scan(io.BytesIO(text), ScriptScanner(DUMP_FORM))
    return DrilledObject(
        stored=StoredDump(
            name=name,
            part=tuple(part),
            ending=".sql",
            size=len(text),
            open=lambda: nullcontext(io.BytesIO(text)),
        ),
        fingerprint=known if is_recorded else None,
        server_version=version,
        tool_version=TOOL,
    )


def compared(
    dumped: DrilledObject, restored: bytes, options: Mapping[str, str] | None = None
) -> Comparison:
    @contextmanager
    def again(
        job: DumpSource, interrupt: Interrupt, *, dealt: Mapping[str, Sequence[Share]]
    ) -> Iterator[Dump]:
        assert not dealt
        info = SourceInfo(server_version=NEW, tool_version=TOOL, estimate=0)
        stream = ToolStream(
            name="shop",
            ending=".sql",
            estimate=0,
            opener=lambda _: nullcontext(io.BytesIO(restored)),
        )
        yield Dump(info=info, streams=[stream])

    return compare(again, SERVER, [dumped], options or {}, Interrupt())


def test_the_same_is_good() -> None:
    assert compared(stored(dump()), dump()).good


def test_structure_that_another_release_writes_is_unproved_and_rows_are_not() -> None:
    same = compared(stored(dump()), dump(type_="utf8mb3"))
    assert not same.good
    other = compared(stored(dump(), version=OLD), dump(type_="utf8mb3"))
    assert other.good
    assert any(OLD in said and NEW in said and "shop" in said for said in other.unproved)
    rows = compared(stored(dump(), version=OLD), dump(type_="utf8mb3", value="2"))
    assert [table.good for table in rows.tables] == [False]
    assert len(rows.faults) == 1


def test_each_table_has_a_verdict_of_its_own() -> None:
    both = dump() + dump(name="```t```")
    found = compared(stored(both), dump() + dump(name="```t```", value="2"))
    assert [(table.name, table.good) for table in found.tables] == [
        ("shop.t", True),
        ("shop.`t`", False),
    ]


@pytest.mark.parametrize("own", ["--where='a > 1'", "-w 'a > 1'", "--as-of=2026-01-01"])
def test_rows_that_were_chosen_may_differ(own: str) -> None:
    options = {"MYSQLDUMP_OPTIONS": own}
    assert compared(stored(dump()), dump(), options).good
    with pytest.raises(NotDrillableError, match="MYSQLDUMP_OPTIONS"):
        compared(stored(dump()), dump(value="2"), options)


def test_a_backup_without_options_is_dumped_as_it_looks() -> None:
    old = stored(dump(), is_recorded=False)
    assert options_again([old], {}) == {}
    part = stored(dump(), part=("t",), is_recorded=False)
    assert options_again([part], {}) == {"KSNAPSHOT_PER_TABLE": "true"}
    across = stored(dump(), part=("views", "across-databases"), is_recorded=False)
    second = stored(dump(), name="second", is_recorded=False)
    assert options_again([old, second], {}) == {"KSNAPSHOT_DATABASES": "*"}
    assert "KSNAPSHOT_PER_TABLE" not in options_again([old, second, across], {})
    assert options_again([stored(dump(), part=("t",))], {}) == {}


def test_a_backup_without_options_that_differs_is_not_judged() -> None:
    old = stored(dump(), is_recorded=False)
    assert compared(old, dump()).good
    with pytest.raises(NotDrillableError, match="older"):
        compared(old, dump(value="2"))
    marked = replace(old, stored=replace(old.stored, metadata={"folds_names": False}))
    assert not compared(marked, dump(value="2")).good


def test_how_the_dumped_server_was_reached_is_left_out() -> None:
    own = "--ssl-mode=REQUIRED --hex-blob --default-auth x --where='a b' --skip-ssl --tls-version v"
    again = options_again([stored(dump())], {"MYSQLDUMP_OPTIONS": own, "KSNAPSHOT_TABLES": "t"})
    assert again == {
        "MYSQLDUMP_OPTIONS": "--hex-blob '--where=a b'",
        "KSNAPSHOT_TABLES": "t",
    }
