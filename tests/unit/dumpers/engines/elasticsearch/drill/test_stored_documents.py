"""Whose documents a backup says that it holds."""

from collections.abc import Mapping, Sequence

from dumpers.engines.elasticsearch.drill.stored_documents import contradictions, parts, undumped
from dumpers.engines.elasticsearch.load.contents import Contents, read_contents
from tests.unit.dumpers.engines.elasticsearch.load.test_contents import CONTENTS, index, piece


def backup(
    names: Sequence[str], documents: Mapping[str, int] | None, closed: Sequence[str] = ()
) -> Contents:
    pieces = [piece("index", {name: index() for name in names}, closed=[*closed])]
    if documents is not None:
        pieces.append(piece("data", {}, documents=documents))
    return read_contents(pieces)


def test_a_whole_backup_contradicts_nothing() -> None:
    assert [*contradictions(backup(["a", "b"], {"a": 0, "b": 2}), ["b"])] == []
    assert [*contradictions(CONTENTS, ["flow", "books"])] == []


def test_a_lost_part_with_documents() -> None:
    [fault] = contradictions(backup(["a"], None), [])
    assert "the part with their documents" in fault
    # Of closed indices, and where there are none, there is nothing to be lost.
    assert [*contradictions(backup(["a"], None, closed=["a"]), [])] == []
    assert [*contradictions(backup([], None), [])] == []


def test_documents_of_what_is_not_there() -> None:
    [fault] = contradictions(backup(["a"], {"a": 1, "b": 0}), ["c"])
    assert fault.endswith("'b', 'c'")


def test_indices_without_their_documents() -> None:
    found = backup(["a", "b", "c"], {"a": 0}, closed=["c"])
    assert [undumped(found, name) for name in ("a", "b", "c")] == [(), ("b",), ()]
    first, second = ".ds-flow-2026.01.01-000001", ".ds-flow-2026.01.01-000002"
    assert undumped(CONTENTS, "flow") == (first, second)
    assert (parts(CONTENTS, "flow"), parts(CONTENTS, "books")) == (2, 1)
