"""Names: lists of them, as annotations give them and as messages show them, and new ones."""

from collections.abc import Iterable, Sequence

from dumpers.runtime.errors import ConfigurationError

_SHOWN = 10


def parse_names(variable: str, text: str) -> tuple[str, ...]:
    """Split names at commas; each is kept once.

    Raises ConfigurationError, which names `variable`, if a name is empty, or the whole text is.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(names):
        raise ConfigurationError(f"{variable} holds an empty name: apart by commas, one each")
    return names


def parse_patterns(variable: str, text: str) -> tuple[str, ...]:
    """Split patterns at commas, as `parse_names` does; blank text holds none."""
    return parse_names(variable, text) if text.strip() else ()


def abbreviate(names: Sequence[str]) -> str:
    """The first ten names, quoted, for a message, and how many more there are."""
    first = ", ".join(repr(name) for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{first} and {more} more" if more > 0 else first


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The name that is wanted, behind it `_` as often as others have it."""
    others = frozenset(taken)
    while wanted in others:
        wanted += "_"
    return wanted
