import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.kube.object_cache import JsonInterner

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
