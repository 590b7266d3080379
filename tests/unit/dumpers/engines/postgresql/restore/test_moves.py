import io
from contextlib import nullcontext

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.restore.moves import plan_moves
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError

EMPTY = RestoreRequest()
BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
SWAP = RestoreRequest(mode=RestoreMode.SWAP)


def stored(*names: str) -> list[StoredDump]:
    pieces = [
        StoredDump(name=name, ending=".sql", size=1, open=lambda: nullcontext(io.BytesIO()))
        for name in names
    ]
    globals_ = StoredDump(
        name="x", ending=".globals.sql", size=1, open=lambda: nullcontext(io.BytesIO())
    )
    return [*pieces, globals_]


def moved(request: RestoreRequest, *names: str) -> list[tuple[str, str, str, bool, str]]:
    moves = plan_moves(
        stored(*names), request, database="shop", present={"shop", "postgres", "b"}, now=0
    )
    return [(m.piece.name, m.live, m.loaded, m.is_made, m.kept) for m in moves]


def test_where_databases_go() -> None:
    kept = "_replaced_19700101000000"
    assert moved(EMPTY, "old") == [("old", "shop", "shop", False, "")]
    assert moved(EMPTY, "a", "b") == [("a", "a", "a", True, ""), ("b", "b", "b", False, "")]
    assert moved(BESIDE, "old") == [("old", "shop_restored", "shop_restored", True, "")]
    named = RestoreRequest(mode=RestoreMode.BESIDE, names={"b": "c"})
    assert moved(named, "a", "b") == [
        ("a", "a_restored", "a_restored", True, ""),
        ("b", "c", "c", True, ""),
    ]
    assert moved(SWAP, "old") == [("old", "shop", "shop_restored", True, f"shop{kept}")]
    assert moved(SWAP, "a", "b") == [
        ("a", "a", "a_restored", True, ""),
        ("b", "b", "b_restored", True, f"b{kept}"),
    ]
    chosen = RestoreRequest(databases=("b",))
    assert moved(chosen, "a", "b") == [("b", "b", "b", False, "")]
    tables = RestoreRequest(mode=RestoreMode.OVERWRITE, tables=("t",))
    assert moved(tables, "old") == [("old", "shop", "shop", False, "")]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RestoreRequest(databases=("c",)), "no database 'c'"),
        (RestoreRequest(names={"c": "d"}), "no database 'c'"),
        (RestoreRequest(names={"a": "x", "b": "x"}), "both be restored as 'x'"),
        (RestoreRequest(names={"a": "x" * 64}), "more than 63 bytes"),
        (RestoreRequest(tables=("t",)), "choose one"),
        (RestoreRequest(mode=RestoreMode.BESIDE, suffix=""), "no name beside"),
    ],
)
def test_what_cannot_be_done_is_said(request_: RestoreRequest, message: str) -> None:
    with pytest.raises(TargetRefusedError, match=message):
        moved(request_, "a", "b")


def test_a_backup_without_a_database() -> None:
    with pytest.raises(TargetRefusedError, match="no database"):
        moved(EMPTY)
