"""HTML that cannot be broken by what it shows: every text is escaped, unless it is HTML already."""

import html
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

_NOTHING: Mapping[str, str] = MappingProxyType({})
_VOID = frozenset({"meta", "link", "polyline", "path"})


class Html(str):
    """Markup that `element` and `join` made; any other text is only text."""

    __slots__ = ()


Child: TypeAlias = "Html | str | None"


def text(value: object) -> Html:
    """Escape a text; what a browser would act on, such as marks of direction, becomes a space."""
    shown = "".join(char if char.isprintable() else " " for char in str(value))
    # Half a surrogate pair has no UTF-8 form.
    safe = shown.encode("utf-8", "replace").decode()
    return Html(html.escape(safe, quote=True))


def element(name: str, /, *children: Child, attributes: Mapping[str, str] = _NOTHING) -> Html:
    """Make an element of a name and attributes' names of ours; None as a child is left out."""
    given = "".join(f' {key}="{text(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{join(*children)}</{name}>")


def div(kind: str, *children: Child) -> Html:
    """Make a block of a class."""
    return element("div", *children, attributes={"class": kind})


def span(kind: str, *children: Child) -> Html:
    """Make a part of a line, of a class."""
    return element("span", *children, attributes={"class": kind})


def join(*children: Child) -> Html:
    """Put texts and elements together."""
    return Html(
        "".join(
            child if isinstance(child, Html) else text(child)
            for child in children
            if child is not None
        )
    )
