"""What a table consists of, however a release spells it."""

from collections.abc import Iterator, Mapping, Sequence

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.ddl import Create
from dumpers.engines.clickhouse.schema.lexer import Token, TokenKind

_COLUMNS, _INDICES, _PROJECTIONS = "columns", "indices", "projections"
_OTHERS = ("CONSTRAINT", "STATISTICS", "PRIMARY")
# Newer releases make such indices by themselves.
_BY_ITSELF = "auto_minmax_index_"


def differing_members(one: str, other: str) -> Sequence[str]:
    """Which members of two statements differ by their names, in words; the engine is one of them.

    A list that one of them has not at all says nothing: of views, some releases show none. Of
    databases nothing is said, as releases make those of one engine as those of another.
    """
    first, second = ddl.parse(one), ddl.parse(other)
    if first is None or second is None or first.object == "DATABASE":
        return []
    found = []
    mine, theirs = _members(first), _members(second)
    if mine[_COLUMNS] and theirs[_COLUMNS]:
        found = [kind for kind in mine if mine[kind] != theirs[kind]]
    if first.engine and second.engine and first.engine != second.engine:
        found.append("engines")
    return found


def _members(create: Create) -> Mapping[str, set[str]]:
    """The names of columns, indices and projections, as far as a statement lists them."""
    found: dict[str, set[str]] = {_COLUMNS: set(), _INDICES: set(), _PROJECTIONS: set()}
    for entry in _entries(create):
        kind, name = _member(entry)
        if kind and not name.startswith(_BY_ITSELF):
            found[kind].add(name)
    return found


def _entries(create: Create) -> Iterator[list[Token]]:
    """What stands between the commas of the list behind the name."""
    entry, depth = list[Token](), 0
    end = len(create.tokens) if create.query is None else create.query
    for token in create.tokens[create.name + 1 : end]:
        if token.kind in {TokenKind.SPACE, TokenKind.COMMENT}:
            continue
        if not depth and token.is_word("ENGINE", "SOURCE", "AS"):
            return
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if not depth and token.text == ")":
            yield entry
            return
        if depth == 1 and token.text == ",":
            yield entry
            entry = []
        elif depth > 1 or (depth and token.text != "("):
            entry.append(token)


def _member(entry: Sequence[Token]) -> tuple[str, str]:
    """The kind of a member, empty for what has none here, and its name."""
    if not entry:
        return "", ""
    first, *rest = entry
    # A column may have such a name, too.
    if first.is_word("INDEX") and any(token.is_word("TYPE") for token in rest):
        return _INDICES, rest[0].value
    if first.is_word("PROJECTION") and any(token.is_word("SELECT", "INDEX") for token in rest):
        return _PROJECTIONS, rest[0].value
    if first.is_word(*_OTHERS) or not first.is_name:
        return "", ""
    return _COLUMNS, _dotted(entry)


def _dotted(entry: Sequence[Token]) -> str:
    """The name that an entry begins with; old releases put no quotes around parts of one."""
    name, place = entry[0].value, 1
    while place + 1 < len(entry) and entry[place].text == ".":
        name += f".{entry[place + 1].value}"
        place += 2
    return name
