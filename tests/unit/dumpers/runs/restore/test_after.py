"""What is taken back, and what is dropped, of restores that could not say what they left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.engines.leftovers import Left
from dumpers.engines.protocol import Engine
from dumpers.engines.registry import ENGINES
from dumpers.runs.restore.after import finish_restore
from dumpers.runtime.interrupt import Interrupt

LEFT = {
    "newest": Left(beside=("shop_restored",)),
    "swapped": Left(kept=(("shop", "shop_replaced_2"),), beside=("shop_copy",)),
    "oldest": Left(kept=(("shop", "shop_replaced_1"),)),
}


@dataclass(slots=True)
class Silent:
    """An engine without marks."""

    done: list[Any] = field(default_factory=list)

    def undo(
        self, _target: Connection, kept: Sequence[tuple[str, str]], _interrupt: Interrupt
    ) -> None:
        self.done.append(("undo", *kept))

    def forget(self, _target: Connection, names: Sequence[str], _interrupt: Interrupt) -> None:
        self.done.append(("forget", *names))


class Marking(Silent):
    """An engine with marks."""

    def find_left(self, _target: Connection, _interrupt: Interrupt) -> Mapping[str, Left]:
        return LEFT


def finish(engine: Silent, **asked: Any) -> tuple[str, ...]:
    job = AfterRestoreJob(engine=ENGINES[0], connection=Connection(host="db", port=1), **asked)
    return finish_restore(job, engine=cast("Engine", engine), interrupt=Interrupt()).actions


@pytest.mark.parametrize(
    ("asked", "done"),
    [
        ({"undo_of": ("newest", "swapped", "oldest")}, ("undo", ("shop", "shop_replaced_2"))),
        (
            {"forget_of": ("gone", "newest", "swapped"), "names": ("more", "shop_restored")},
            ("forget", "more", "shop_restored", "shop_replaced_2", "shop_copy"),
        ),
    ],
)
def test_an_engine_with_marks_is_asked(asked: dict[str, Any], done: tuple[Any, ...]) -> None:
    engine = Marking()
    assert len(finish(engine, **asked)) == len(done) - 1
    assert engine.done == [done]


@pytest.mark.parametrize("asked", [{"undo_of": ("newest",)}, {"forget_of": ("gone",)}])
def test_where_nothing_is_left_nothing_is_done(asked: dict[str, Any]) -> None:
    engine = Marking()
    assert finish(engine, **asked) == ()
    assert engine.done == []


def test_an_engine_without_marks_drops_what_it_is_told() -> None:
    engine = Silent()
    assert finish(engine, forget_of=("newest",), names=("copy",)) == ("copy is dropped",)
    assert engine.done == [("forget", "copy")]
