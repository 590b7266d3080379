import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.kube.client import DEPLOYMENTS
from controller.kube.failure_budget import FailureBudget
from controller.kube.object_cache import JsonInterner, ObjectCache
from controller.kube.reader import ClusterReader
from tests.fakes.kube_memory import MemoryApi, unavailable
from tests.fakes.worlds import owner

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
)


def text(value: Any) -> str:
    """Tells 1 from True and 1.0, which are equal."""
    return repr(value)


@given(st.lists(st.dictionaries(st.text("ab"), VALUES, max_size=3), max_size=6))
def test_what_is_shared_is_as_it_was(items: list[dict[str, Any]]) -> None:
    interner = JsonInterner()
    before = copy.deepcopy(items)
    found = [interner.intern(item) for item in items]
    assert (
        [text(item) for item in found] == [text(item) for item in before] == list(map(text, items))
    )


def test_equal_parts_are_one() -> None:
    interner = JsonInterner()
    first, second = (
        interner.intern({"name": name, "spec": {"env": [{"name": "A", "value": "x"}]}})
        for name in ("one", "two")
    )
    assert first["spec"] is second["spec"]
    assert first["name"] == "one"
    assert second["name"] == "two"


@pytest.mark.parametrize(
    ("count", "is_answered", "reads"),
    [(20, True, ["get"] * 20), (21, True, ["list"]), (21, False, ["get"] * 21)],
)
def test_many_that_are_missing_are_read_by_one_list_of_all_namespaces(
    count: int, reads: list[str], *, is_answered: bool
) -> None:
    places = [f"shop{number}" for number in range(count)]
    api = MemoryApi(owner("web", "Deployment", namespace=name, uid=name) for name in places)
    reader = ClusterReader(kube=api, budget=FailureBudget(limit=10))
    listed = reader.list(DEPLOYMENTS, "", metadata_only=True)
    assert isinstance(listed, tuple)
    if not is_answered:
        api.fail("Deployment", "", unavailable("deployments"))
    api.reads.clear()
    empty = ObjectCache(reader=reader, cache={}, interner=JsonInterner())
    cache = empty.with_all(DEPLOYMENTS, listed)
    for place, item in zip(places, listed, strict=True):
        (found,), unread = cache.load_full(DEPLOYMENTS, place, (item,), {"web"})
        assert "template" in found["spec"]
        assert not unread
    assert [how for how, _, _ in api.reads] == reads
    assert len(cache.next_cache) == count
