import pytest

from dumpers.engines import names
from dumpers.runtime.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a", ("a",)), (" a.b , c* ,`d`", ("a.b", "c*", "`d`")), ("a,b , a", ("a", "b"))],
)
def test_names_are_listed(text: str, wanted: tuple[str, ...]) -> None:
    assert names.parse_names("TABLES", text) == wanted


@pytest.mark.parametrize("text", ["", " ", ",", "a,", "a,,b"])
def test_no_name_is_empty(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TABLES holds an empty name"):
        names.parse_names("TABLES", text)


def test_many_names_are_counted() -> None:
    assert names.abbreviate(["a", "it's"]) == "'a', \"it's\""
    assert names.abbreviate([str(number) for number in range(12)]).endswith("'9' and 2 more")


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("", ()),
        ("  ", ()),
        ("a", ("a",)),
        (" a.b , c* ,`d`", ("a.b", "c*", "`d`")),
    ],
)
def test_patterns_are_read(text: str, patterns: tuple[str, ...]) -> None:
    assert names.parse_patterns("TABLES", text) == patterns


@pytest.mark.parametrize("text", [",", "a,", "a,,b"])
def test_empty_patterns_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="TABLES holds an empty name"):
        names.parse_patterns("TABLES", text)


@pytest.mark.parametrize(
    ("taken", "free"), [([], "a"), (["b", "a_"], "a"), (["a"], "a_"), (["a", "a_", "A"], "a__")]
)
def test_a_name_that_nobody_has_is_found(taken: list[str], free: str) -> None:
    assert names.free_name("a", taken) == free
