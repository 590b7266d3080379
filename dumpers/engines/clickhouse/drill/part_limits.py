"""Limits of parts that a table's own statement sets: they would end inserts while nothing merges.

They stand above those that the throwaway server is started with.
"""

from collections.abc import Iterator

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.ddl import Create

_LIMITS = (
    *("parts_to_throw_insert", "parts_to_delay_insert", "max_parts_in_total"),
    *("inactive_parts_to_throw_insert", "inactive_parts_to_delay_insert"),
)


def limits_parts(create: Create) -> bool:
    """Whether a statement sets one of them."""
    return any(name in _LIMITS for name, _ in _settings(create))


def without_limits(text: str) -> str:
    """The statement without them."""
    create = ddl.parse(text)
    assert create is not None
    settings = [*_settings(create)]
    kept = [places for name, places in settings if name not in _LIMITS]
    if len(kept) == len(settings):
        return text
    texts = [token.text for token in create.tokens]
    begin, end = settings[0][1].start, settings[-1][1].stop
    lists = ["".join(texts[place] for place in places) for places in kept]
    for place in range(begin if kept else _keyword(create), end):
        texts[place] = ""
    texts[begin] = ", ".join(lists)
    return "".join(texts).rstrip()


def _settings(create: Create) -> Iterator[tuple[str, range]]:
    """Each setting of a statement by name, with the positions of `name = value`."""
    entry: list[int] = []
    for place in create.clauses:
        token = create.tokens[place]
        if place <= _keyword(create):
            continue
        if token.text == "," or token.is_word("COMMENT"):
            yield create.tokens[entry[0]].value, range(entry[0], entry[-1] + 1)
            entry = []
            if token.text != ",":
                return
        else:
            entry.append(place)
    if entry:
        yield create.tokens[entry[0]].value, range(entry[0], entry[-1] + 1)


def _keyword(create: Create) -> int:
    """Where SETTINGS stands; behind all where it does not. A column may be called so before."""
    found = [place for place in create.clauses if create.tokens[place].is_word("SETTINGS")]
    return found[-1] if found else len(create.tokens)
