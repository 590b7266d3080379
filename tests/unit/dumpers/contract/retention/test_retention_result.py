"""What the termination messages of jobs that delete say, and how little room they have."""

import json
from dataclasses import fields
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.result import RESULT_MAX_BYTES
from dumpers.contract.retention.result import MAX_NAMES, DeleteResult, PruneResult

Result: TypeAlias = PruneResult | DeleteResult
Kind: TypeAlias = type[PruneResult] | type[DeleteResult]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SIZES = st.integers(0, 1 << 60)
NAMES = st.lists(TEXTS, max_size=MAX_NAMES).map(tuple)
COMMON: dict[str, Any] = {
    "succeeded": st.booleans(),
    "exit_code": st.integers(0, 23),
    "reason": TEXTS,
    "message": TEXTS,
    "seconds": st.floats(0, 1e6),
    "deleted": SIZES,
    "freed_bytes": SIZES,
    "left": SIZES,
    "dry_run": st.booleans(),
}
PRUNES = st.builds(
    PruneResult,
    **COMMON,
    workloads=SIZES,
    kept=SIZES,
    held_back=SIZES,
    shrunk=SIZES,
    swept=SIZES,
    held_back_cronjobs=NAMES,
    shrunk_cronjobs=NAMES,
    failed_cronjobs=NAMES,
)
DELETIONS = st.builds(DeleteResult, **COMMON, left_keys=NAMES)
LISTS = {
    PruneResult: ("held_back_cronjobs", "shrunk_cronjobs", "failed_cronjobs"),
    DeleteResult: ("left_keys",),
}
DONE: dict[str, Any] = {"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""}
LONG = tuple(f"{'ß' * 200}{number}" for number in range(MAX_NAMES))


@given(st.one_of(PRUNES, DELETIONS))
def test_what_is_written_is_what_is_read_but_for_names_without_room(result: Result) -> None:
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = type(result).from_json(text)
    for item in fields(result):
        before, after = getattr(result, item.name), getattr(read, item.name)
        if item.name in LISTS[type(result)]:
            assert after == before[: len(after)]
        else:
            assert after == before, item.name
    if sum(len(getattr(result, name)) for name in LISTS[type(result)]) <= 5:
        assert read == result


def test_names_go_before_the_message_does_and_the_longest_list_first() -> None:
    result = PruneResult(
        **DONE | {"message": "m" * 500}, held_back_cronjobs=LONG, failed_cronjobs=("one", "two")
    )
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = PruneResult.from_json(text)
    assert read.message == "m" * 500
    assert read.failed_cronjobs == ("one", "two")
    assert read.held_back_cronjobs == LONG[: len(read.held_back_cronjobs)] != ()


@pytest.mark.parametrize("kind", [PruneResult, DeleteResult])
def test_a_message_that_is_too_long_by_itself_is_cut(kind: Kind) -> None:
    result = kind(**DONE | {"message": "é" * 5000, "deleted": 7})
    text = result.to_json()
    assert len(text.encode()) <= RESULT_MAX_BYTES
    read = kind.from_json(text)
    assert read.message.endswith("é…")
    assert read.deleted == 7


@pytest.mark.parametrize("kind", [PruneResult, DeleteResult])
@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "3", "{", "[" * 100_000, '{"succeeded": true}'),
        json.dumps(DONE | {"deleted": "7"}),
        json.dumps(DONE | {"deleted": None}),
        json.dumps(DONE | {"dry_run": "no"}),
        json.dumps(DONE | {"succeeded": 1}),
        json.dumps(DONE | {"reason": 3}),
        json.dumps(DONE | {"seconds": "1"}),
    ],
)
def test_what_is_none_of_ours_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=f"no {kind.__name__}"):
        kind.from_json(text)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in LISTS.items() for name in names]
)
@pytest.mark.parametrize("names", [[3], [None], [["a"]], 3, None])
def test_a_list_of_names_holds_texts(kind: Kind, name: str, names: object) -> None:
    with pytest.raises(ValueError, match=f"no {kind.__name__}"):
        kind.from_json(json.dumps(DONE | {name: names}))


@pytest.mark.parametrize("kind", [PruneResult, DeleteResult])
def test_members_of_a_newer_version_are_left_out(kind: Kind) -> None:
    text = json.dumps(DONE | {"version": 2, "colour": "blue", "deleted": 3})
    assert kind.from_json(text) == kind(**DONE, deleted=3)
