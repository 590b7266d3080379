import pytest

from controller.settings.settings import Settings
from controller.settings.watching.watch_settings import label_selector, watched_namespaces
from dumpers.runtime.errors import ConfigurationError
from tests.fakes.selectors import REFUSED, TAKEN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b,a", ("a", "b")),
        ("*", ("*",)),
        (" * ,", ("*",)),
        ("*,a", None),
        ("shop-*", None),
        ("", None),
        (" ,", None),
        ("A", None),
    ],
)
def test_namespaces(text: str, expected: tuple[str, ...] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="must"):
            watched_namespaces(text)
    else:
        assert watched_namespaces(text) == expected


@pytest.mark.parametrize("text", TAKEN)
def test_selectors_that_kubernetes_takes(text: str) -> None:
    assert label_selector(text) == text.strip()


@pytest.mark.parametrize("text", REFUSED)
def test_selectors_that_it_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="selector by labels"):
        label_selector(text)


def test_a_selector_chooses_among_all() -> None:
    env = {"WATCH_NAMESPACES": "*", "WATCH_NAMESPACE_SELECTOR": "team=shop"}
    settings = Settings.from_env(env)
    assert settings.watches_all
    assert settings.watch_selector == "team=shop"
    with pytest.raises(ConfigurationError, match="WATCH_NAMESPACES must be \\*"):
        Settings.from_env(env | {"WATCH_NAMESPACES": "shop"})
    assert not Settings.from_env({"WATCH_NAMESPACES": "shop"}).watches_all
