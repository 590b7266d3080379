"""Restores into a server that has the tables already, by the newest engine: each mode, and back."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.engines.clickhouse.restore import staged
from dumpers.engines.clickhouse.restore.exchange import Step, carry_out
from dumpers.engines.clickhouse.restore.target import Target
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import KsnapshotError, StorageFailedError, TargetRefusedError
from dumpers.streams.reader import Reader
from tests.integration.dumpers.clickhouse.changed import TABLES, content, databases
from tests.integration.dumpers.clickhouse.conftest import NOW, Backup, Dumps, connection
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.toolchain.processes import free_port

SWAP = RestoreRequest(mode=RestoreMode.SWAP)
BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
OVERWRITE = RestoreRequest(mode=RestoreMode.OVERWRITE)


class _Broken:
    """A reader that ends with an error after its first bytes."""

    def __init__(self, source: Reader) -> None:
        self._data = source.read(20)

    def read(self, size: int = -1, /) -> bytes:
        data, self._data = self._data[:size], self._data[size:] if size >= 0 else b""
        if not data:
            raise StorageFailedError("the object is damaged")
        return data


def broken(pieces: Sequence[StoredDump], table: str) -> list[StoredDump]:
    """The pieces, one of which cannot be read to its end."""

    @contextlib.contextmanager
    def opened(piece: StoredDump) -> Iterator[Reader]:
        with piece.open() as reader:
            yield _Broken(reader)

    return [
        replace(piece, open=partial(opened, piece)) if table in piece.part else piece
        for piece in pieces
    ]


def test_beside(live: Front, shop: Backup) -> None:
    before = content(live)
    plan = ENGINE.plan_restore(connection(live), shop.pieces(), NOW, BESIDE)
    assert plan.creates == (("shop", "shop_restored"),)
    assert databases(live) == ["shop"]
    restored = ENGINE.restore(connection(live), shop.pieces(), NOW, BESIDE)
    assert restored.creates == (("shop", "shop_restored"),)
    assert restored.notes == ()
    assert content(live) == before
    # Names in queries, dictionaries and engines are the new ones.
    assert content(live, "shop_restored", TABLES[:1]) == ["9\t" + before_orders(live)]
    live.sql("INSERT INTO shop_restored.orders VALUES (500, '2026-03-01')")
    assert content(live) == before
    assert live.sql("SELECT sum(n) FROM shop_restored.sums") == "6"
    assert live.sql("SELECT count() FROM shop_restored.merged") == "10"
    assert live.sql("SELECT dictGet('shop_restored.named', 'name', toUInt64(1))") == "one"
    live.sql("INSERT INTO shop.orders VALUES (600, '2026-03-01')")
    assert live.sql("SELECT sum(n) FROM shop_restored.sums") == "6"
    with pytest.raises(TargetRefusedError, match=r"shop_restored.*forget them.*suffix"):
        ENGINE.restore(connection(live), shop.pieces(), NOW, BESIDE)
    ENGINE.forget(connection(live), ["shop_restored"], NOW)
    ENGINE.forget(connection(live), ["shop_restored"], NOW)
    assert databases(live) == ["shop"]


def before_orders(front: Front) -> str:
    return front.sql("SELECT sum(cityHash64(*)) FROM shop.orders WHERE id < 100")


def test_swap_and_undo(live: Front, shop: Backup) -> None:
    before = content(live)
    plan = ENGINE.plan_restore(connection(live), shop.pieces(), NOW, SWAP)
    assert "for nobody without" in " ".join(plan.actions)
    assert "'shop.newer'" in " ".join(plan.notes)
    restored = ENGINE.restore(connection(live), shop.pieces(), NOW, SWAP)
    after = content(live)
    assert live.sql("SELECT count() FROM shop.orders") == "9"
    assert live.sql("SELECT * FROM shop.names") == "1\tone"
    assert "'shop.newer'" in " ".join(restored.notes)
    assert ("shop.orders", "shop_restored.orders") in restored.kept
    assert ("shop.`o'dd.🐘`", "shop_restored.`o'dd.🐘`") in restored.kept
    # What writes to the live table fills the restored one's view.
    live.sql("INSERT INTO shop.orders VALUES (500, '2026-03-01')")
    assert live.sql("SELECT sum(n) FROM shop.sums") == "6"
    with pytest.raises(TargetRefusedError, match="loaded or kept: forget it first"):
        ENGINE.restore(connection(live), shop.pieces(), NOW, SWAP)
    for _ in range(2):
        ENGINE.undo(connection(live), restored.kept, NOW)
        assert content(live) == before
    assert after != before
    ENGINE.forget(connection(live), [kept for _, kept in restored.kept], NOW)
    assert databases(live) == ["shop"]
    assert content(live) == before
    with pytest.raises(TargetRefusedError, match=r"not there any more.*nothing was changed"):
        ENGINE.undo(connection(live), restored.kept, NOW)


def test_swap_again_after_a_swap(live: Front, shop: Backup) -> None:
    for _ in range(2):
        restored = ENGINE.restore(connection(live), shop.pieces(), NOW, SWAP)
        ENGINE.forget(connection(live), [kept for _, kept in restored.kept], NOW)
    assert live.sql("SELECT count() FROM shop.orders") == "9"


def test_swap_brings_back_a_table_that_was_dropped(live: Front, shop: Backup) -> None:
    live.sql("DROP TABLE shop.orders")
    live.sql("DROP VIEW shop.both")
    restored = ENGINE.restore(connection(live), shop.pieces(), NOW, SWAP)
    assert live.sql("SELECT count() FROM shop.orders") == "9"
    assert live.sql("SELECT count() FROM shop.both") == "1"
    ENGINE.undo(connection(live), restored.kept, NOW)
    assert live.sql("EXISTS TABLE shop.orders") == "0"


def test_overwrite(live: Front, shop: Backup) -> None:
    live.sql("DROP VIEW shop.both")
    live.sql("CREATE VIEW shop.both AS SELECT 1 AS id, 2 AS x")
    restored = ENGINE.restore(connection(live), shop.pieces(), NOW, OVERWRITE)
    assert restored.kept == ()
    assert databases(live) == ["shop"]
    assert content(live, tables=("orders",)) == ["9\t" + before_orders(live)]
    assert live.sql("SELECT count() FROM shop.both") == "1"
    assert live.sql("SELECT count() FROM shop.newer") == "1"


@pytest.mark.parametrize("mode", [RestoreMode.BESIDE, RestoreMode.SWAP, RestoreMode.OVERWRITE])
def test_a_reader_that_breaks_leaves_what_is_live(
    live: Front, shop: Backup, mode: RestoreMode
) -> None:
    before = content(live)
    request = RestoreRequest(mode=mode)
    pieces = broken(shop.pieces(), "orders")
    with pytest.raises(KsnapshotError, match=r"nothing that was live is touched.*shop_restored"):
        ENGINE.restore(connection(live), pieces, NOW, request)
    assert content(live) == before
    with pytest.raises(TargetRefusedError, match="forget"):
        ENGINE.restore(connection(live), shop.pieces(), NOW, request)
    ENGINE.forget(connection(live), ["shop_restored"], NOW)
    ENGINE.restore(connection(live), shop.pieces(), NOW, request)
    where = "shop_restored" if mode is RestoreMode.BESIDE else "shop"
    assert live.sql(f"SELECT count() FROM {where}.orders") == "9"


def test_one_table_under_another_name(live: Front, shop: Backup) -> None:
    request = RestoreRequest(
        mode=RestoreMode.BESIDE, tables=("shop.orders",), names={"shop.orders": "shop.`or.ders`"}
    )
    restored = ENGINE.restore(connection(live), shop.pieces(), NOW, request)
    assert restored.creates == (("shop.orders", "shop.`or.ders`"),)
    assert live.sql("SELECT count() FROM shop.`or.ders`") == "9"
    assert live.sql("SELECT count() FROM shop.orders") == "14"
    with pytest.raises(TargetRefusedError, match=r"'shop\.gone'"):
        ENGINE.plan_restore(
            connection(live), shop.pieces(), NOW, replace(request, tables=("shop.gone",))
        )
    ENGINE.forget(connection(live), ["shop.`or.ders`"], NOW)
    assert databases(live) == ["shop"]


def test_partitions(live: Front, shop: Backup) -> None:
    some = "shop.orders: 20260101, 20260102"
    live.sql("INSERT INTO shop.orders VALUES (1000, '2026-01-01')")
    asked = RestoreRequest(partitions=some)
    with pytest.raises(TargetRefusedError, match="have rows already"):
        ENGINE.restore(connection(live), shop.pieces(), NOW, asked)
    ENGINE.restore(connection(live), shop.pieces(), NOW, replace(asked, mode=OVERWRITE.mode))
    assert live.sql("SELECT count() FROM shop.orders") == "14"
    live.sql("ALTER TABLE shop.orders DROP PARTITION ID '20260101'")
    first = replace(asked, partitions="shop.orders: 20260101")
    ENGINE.restore(connection(live), shop.pieces(), NOW, first)
    assert live.sql("SELECT count() FROM shop.orders") == "14"
    ENGINE.restore(connection(live), shop.pieces(), NOW, replace(first, mode=BESIDE.mode))
    assert live.sql("SELECT count() FROM shop_restored.orders") == "3"
    ENGINE.forget(connection(live), ["shop_restored"], NOW)
    with pytest.raises(TargetRefusedError, match="'20270101'; it has '20260101'"):
        ENGINE.restore(
            connection(live),
            shop.pieces(),
            NOW,
            replace(first, mode=OVERWRITE.mode, partitions="shop.orders: 20270101"),
        )
    assert live.sql("SELECT count() FROM shop.orders") == "14"
    with pytest.raises(TargetRefusedError, match="cannot change places"):
        ENGINE.plan_restore(connection(live), shop.pieces(), NOW, replace(first, mode=SWAP.mode))


def test_an_exchange_that_fails_is_taken_back(
    live: Front, shop: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sabotaged(target: Target, steps: Sequence[Step]) -> None:
        third = replace(steps[2], forth="EXCHANGE TABLES shop.nothing AND shop.never")
        carry_out(target, [*steps[:2], third, *steps[3:]])

    monkeypatch.setattr(staged, "carry_out", sabotaged)
    before = content(live)
    with pytest.raises(KsnapshotError, match="every table is where it was before"):
        ENGINE.restore(connection(live), shop.pieces(), NOW, SWAP)
    assert content(live) == before


def test_two_servers_exchange_their_own_tables(dumps: Dumps) -> None:
    hosts, port, login = ("127.0.0.71", "127.0.0.72"), free_port(), Login.make("default")
    start = partial(clickhouse_front.start_front, http_port=port, shards=hosts, login=login)
    with start(host=hosts[0]) as one, start(host=hosts[1]) as two:
        for number, front in enumerate((one, two), 1):
            front.sql("CREATE DATABASE shop")
            for name in ("a", "b"):
                front.sql(f"CREATE TABLE shop.{name} (id UInt64) ENGINE = MergeTree ORDER BY id")
                front.sql(f"INSERT INTO shop.{name} SELECT number FROM numbers({number})")
        backup = dumps.of_front(one)
        before = [content(front, tables=("a", "b")) for front in (one, two)]
        one.sql("INSERT INTO shop.a VALUES (100)")
        two.sql("DROP TABLE shop.b")
        later = [content(front, tables=("a",)) for front in (one, two)]
        restored = ENGINE.restore(connection(one), backup.pieces(), NOW, SWAP)
        assert [content(front, tables=("a", "b")) for front in (one, two)] == before
        assert len(restored.kept) == 2
        ENGINE.undo(connection(one), restored.kept, NOW)
        assert [content(front, tables=("a",)) for front in (one, two)] == later
        assert two.sql("EXISTS TABLE shop.b") == "0"
        ENGINE.forget(connection(two), [kept for _, kept in restored.kept], NOW)
        assert [databases(front) for front in (one, two)] == [["shop"], ["shop"]]
