import io
from contextlib import nullcontext

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.mysql.plan import ACROSS
from dumpers.engines.mysql.restore.moves import lives, plan_moves, views_across
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError

EMPTY = RestoreRequest()
BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
OVERWRITE = RestoreRequest(mode=RestoreMode.OVERWRITE)


def stored(name: str, *part: str) -> StoredDump:
    return StoredDump(
        name=name, part=part, ending=".sql", size=1, open=lambda: nullcontext(io.BytesIO())
    )


PER_TABLE = [stored("old", "a"), stored("old", "b"), stored("old")]
TWO = [stored("x"), stored("y"), stored("x", *ACROSS)]


def moved(
    pieces: list[StoredDump], request: RestoreRequest
) -> list[tuple[str, list[tuple[str, ...]], str, str, bool, str]]:
    moves = plan_moves(
        pieces, request, database="shop", present={"shop", "y"}, filled={"shop"}, now=0
    )
    return [
        (m.name, [piece.part for piece in m.pieces], m.live, m.loaded, m.is_made, m.kept)
        for m in moves
    ]


def test_where_databases_go() -> None:
    every = [("a",), ("b",), ()]
    kept = "shop_replaced_19700101000000"
    assert moved(PER_TABLE, EMPTY) == [("old", every, "shop", "shop", False, "")]
    assert moved(PER_TABLE, OVERWRITE) == [("old", every, "shop", "shop_restored", True, kept)]
    assert moved(TWO, EMPTY) == [
        ("x", [()], "x", "x", True, ""),
        ("y", [()], "y", "y", False, ""),
    ]
    assert moved(TWO, BESIDE) == [
        ("x", [()], "x_restored", "x_restored", True, ""),
        ("y", [()], "y_restored", "y_restored", True, ""),
    ]
    # There is nothing in it that would have to give way.
    assert moved(TWO, OVERWRITE)[1] == ("y", [()], "y", "y", False, "")
    assert lives(TWO, BESIDE, "shop") == ("x_restored", "y_restored")
    assert [piece.part for piece in views_across(TWO)] == [ACROSS]


def test_only_the_objects_that_hold_chosen_tables_are_read() -> None:
    def read(*tables: str) -> list[tuple[str, ...]]:
        [(_, parts, *_)] = moved(PER_TABLE, RestoreRequest(tables=tables))
        return parts

    assert read("b") == [("b",)]
    assert read("old.b", "a_view") == [("b",), ()]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (RestoreRequest(databases=("c",)), "no database 'c'"),
        (RestoreRequest(names={"x": "z", "y": "z"}), "both be restored as 'z'"),
        (RestoreRequest(names={"x": "z" * 65}), "more than 64 letters"),
        (RestoreRequest(tables=("t",)), "choose one"),
        (RestoreRequest(mode=RestoreMode.BESIDE, suffix=""), "no name beside"),
    ],
)
def test_what_cannot_be_done_is_said(request_: RestoreRequest, message: str) -> None:
    with pytest.raises(TargetRefusedError, match=message):
        moved(TWO, request_)
