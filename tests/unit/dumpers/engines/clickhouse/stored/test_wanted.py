from collections.abc import Mapping
from dataclasses import replace

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.schema.names.naming import Key
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.clickhouse.stored.wanted import Wanted, choose
from dumpers.runtime.errors import ConfigurationError, TargetRefusedError
from tests.unit.dumpers.engines.clickhouse.stored.backups import BACKUP

CONTENTS = read_contents(BACKUP)
ALL = RestoreRequest()
SCRIPTS = sum(piece.size for piece in BACKUP if "script" in piece.metadata)


def wanted(request: RestoreRequest, database: str = "") -> Wanted:
    return choose(CONTENTS, request, database)


def test_everything() -> None:
    found = wanted(ALL)
    assert found.databases == ("nothing", "shop", "web")
    assert found.creates == (("nothing", "nothing"), ("shop", "shop"), ("web", "web"))
    assert found.data == (("shop", "o.dd"), ("shop", "orders"), ("web", "hits"))
    assert found.views_with_rows == (("shop", "sums"),)
    # What another object has, too, is not read.
    assert found.size == SCRIPTS + 127
    assert not found.own.changes
    assert CONTENTS.release == "24.8.3.1"


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"databases": ("web",), "tables": ("hits",)}, {("web", "hits")}),
        ({"tables": ("shop.o*",)}, {("shop", "orders"), ("shop", "o.dd")}),
        ({"tables": ("o.dd",)}, {("shop", "o.dd")}),
        ({"partitions": "shop.`o.dd`: 1, 2"}, {("shop", "o.dd")}),
    ],
)
def test_parts_are_chosen(changes: Mapping[str, object], keys: set[Key]) -> None:
    found = wanted(replace(ALL, **changes))  # type: ignore[arg-type]
    assert found.keys == keys
    assert found.is_by_table


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"databases": ("gone",)}, "not these databases.*'gone'"),
        ({"tables": ("shop.gone", "orders")}, "not these tables.*: 'shop.gone'"),
        ({"partitions": "shop.gone: 1"}, "not these tables.*'shop.gone'"),
        ({"partitions": "shop.orders: 1", "tables": ("orders",)}, "not for both"),
        ({"partitions": "shop.orders: 1", "mode": RestoreMode.SWAP}, "cannot change places"),
        ({"names": {"gone": "x"}}, "neither a database nor a table 'gone'"),
        ({"names": {"shop": "web", "shop.orders": "web.hits"}}, "the same name: 'web.hits'"),
    ],
)
def test_what_cannot_be_is_refused(changes: Mapping[str, object], says: str) -> None:
    with pytest.raises(TargetRefusedError, match=says):
        wanted(replace(ALL, **changes))  # type: ignore[arg-type]


def test_partitions_that_are_written_wrong() -> None:
    with pytest.raises(ConfigurationError, match="the restore's partitions"):
        wanted(replace(ALL, partitions="orders"))


BESIDE = replace(ALL, mode=RestoreMode.BESIDE)
SWAP = replace(ALL, mode=RestoreMode.SWAP)
ONE = ("shop",)


@pytest.mark.parametrize(
    ("request_", "database", "own", "live"),
    [
        (replace(ALL, databases=ONE), "new", ("new", "orders"), ("new", "orders")),
        # Tables of the same name would meet.
        (ALL, "new", ("shop", "orders"), ("shop", "orders")),
        (replace(ALL, names={"shop": "x"}), "", ("x", "orders"), ("x", "orders")),
        (BESIDE, "", ("shop_restored", "orders"), ("shop", "orders")),
        (replace(BESIDE, suffix="_b"), "", ("shop_b", "orders"), ("shop", "orders")),
        (replace(BESIDE, names={"shop": "x"}), "", ("x", "orders"), ("x", "orders")),
        (
            replace(BESIDE, names={"shop.orders": "orders2"}),
            "",
            ("shop", "orders2"),
            ("shop", "orders2"),
        ),
        (
            replace(BESIDE, names={"shop.orders": "x.`a.b`"}),
            "",
            ("x", "a.b"),
            ("x", "a.b"),
        ),
        (replace(BESIDE, databases=ONE), "new", ("new_restored", "orders"), ("new", "orders")),
        (SWAP, "", ("shop_restored", "orders"), ("shop", "orders")),
        # What it changes places with is called so.
        (replace(SWAP, names={"shop": "x"}), "", ("x_restored", "orders"), ("x", "orders")),
    ],
)
def test_names(request_: RestoreRequest, database: str, own: Key, live: Key) -> None:
    found = wanted(request_, database)
    assert found.own.table(("shop", "orders")) == own
    assert found.live.table(("shop", "orders")) == live


def test_what_is_not_chosen_keeps_its_name() -> None:
    found = wanted(replace(BESIDE, tables=("shop.orders",)))
    assert found.creates == (("shop.orders", "shop_restored.orders"),)
    assert found.own.tables == {("shop", "orders"): ("shop_restored", "orders")}


def test_full_names_of_what_is_created_tell_dots_apart() -> None:
    found = wanted(replace(BESIDE, tables=("o.dd",)))
    assert found.creates == (("shop.`o.dd`", "shop_restored.`o.dd`"),)
