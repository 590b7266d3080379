"""Lists of names, as annotations give them and as messages show them."""

from collections.abc import Sequence

from dumpers.runtime.errors import ConfigurationError

_SHOWN = 10


def parse_names(variable: str, text: str) -> tuple[str, ...]:
    """Names, separated by commas, each once; ConfigurationError where one of them is empty."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(names):
        raise ConfigurationError(f"{variable} holds an empty name: apart by commas, one each")
    return names


def abbreviate(names: Sequence[str]) -> str:
    """Some names for a message, and how many more there are."""
    first = ", ".join(repr(name) for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{first} and {more} more" if more > 0 else first
