"""Statements that speak of tables by new names: in queries, engines, functions and dictionaries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import Token, TokenKind, tokens
from dumpers.engines.clickhouse.schema.names.naming import Naming
from dumpers.engines.clickhouse.server.sql import identifier, literal

# Engines and functions, in small letters, with the place of the database among their arguments; the
# table is the next one.
_DATABASE_AT = {
    **dict.fromkeys(("buffer", "alias", "loop", "mergetreeindex", "mergetreeprojection"), 0),
    **dict.fromkeys(("distributed", "remote", "remotesecure", "cluster", "clusterallreplicas"), 1),
    "merge": 0,
}
# These take a pattern of tables behind the database.
_WITH_PATTERN = frozenset(("merge",))
# Their first argument is a text with a full name.
_FULL_NAME_IN = ("dict", "joinget")
_LOCAL = frozenset(("", "localhost", "127.0.0.1", "::1"))
_BEFORE_TABLES = ("FROM", "JOIN", "TO", "IN", "INTO")


@dataclass(slots=True, kw_only=True)
class _Call:
    """An open parenthesis: the word before it, and the positions of its own words so far."""

    name: str
    arguments: list[list[int]] = field(default_factory=lambda: [[]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A statement with new names, and the old full names that it still speaks of."""

    text: str
    left: tuple[str, ...] = ()


def rename_references(text: str, naming: Naming) -> Renamed:
    """Put new names in wherever a statement speaks of other tables, but not for its own name.

    Names are changed where they stand as such, in the arguments of engines and functions that take
    them as texts, and in the sources of dictionaries on this server. A column, an alias or a text
    that only looks like a database's name stays as it is.
    """
    create = ddl.parse(text)
    found = create.tokens if create is not None else tuple(tokens(text))
    own = frozenset({create.database, create.name} if create is not None else ())
    rewriting = _Rewriting(found=found, own=own, naming=naming)
    rewriting.rewrite()
    return Renamed(text="".join(rewriting.texts), left=tuple(dict.fromkeys(rewriting.left)))


class _Rewriting:
    """One pass through a statement's tokens."""

    def __init__(
        self, *, found: Sequence[Token], own: frozenset[int | None], naming: Naming
    ) -> None:
        self.texts = [token.text for token in found]
        self.left: list[str] = []
        self._found = found
        self._own = own
        self._naming = naming
        self._databases = {old for old, _ in naming.tables} | naming.databases.keys()
        self._full = {".".join(key): key for key in naming.tables}
        self._places = [
            place
            for place, token in enumerate(found)
            if token.kind not in {TokenKind.SPACE, TokenKind.COMMENT}
        ]

    def rewrite(self) -> None:
        """Change the texts."""
        self._names()
        for call in self._calls():
            name = call.name.lower()
            if name in _DATABASE_AT:
                self._pair(call, _DATABASE_AT[name], patterned=name in _WITH_PATTERN)
            elif name.startswith(_FULL_NAME_IN):
                self._full_name(call)
            elif name == "clickhouse":
                self._source([place for argument in call.arguments for place in argument])

    def _names(self) -> None:
        """Names that stand as such: a database, a dot and a table."""
        aliases = {
            self._found[after].value
            for place, after in pairwise(self._places)
            if self._found[place].is_word("AS") and self._found[after].is_name
        }
        for number, place in enumerate(self._places[:-2]):
            token = self._found[place]
            if place in self._own or not token.is_name or token.value not in self._databases:
                continue
            before = self._found[self._places[number - 1]] if number else None
            dot, name = self._places[number + 1 : number + 3]
            if self._found[dot].text != "." or (before is not None and before.text == "."):
                continue
            if not self._found[name].is_name:
                continue
            key = (token.value, self._found[name].value)
            if key in self._naming.tables:
                self._put(place, self._naming.tables[key][0])
                self._put(name, self._naming.tables[key][1])
            elif before is not None and (
                before.is_word(*_BEFORE_TABLES)
                or (before.text == "," and token.value not in aliases)
            ):
                self.left.append(".".join(key))

    def _calls(self) -> Iterator[_Call]:
        """Every pair of parentheses with the words that stand right in it."""
        opened: list[_Call] = []
        before = -1
        for place in self._places:
            text = self._found[place].text
            if text == "(":
                named = before >= 0 and self._found[before].kind is TokenKind.WORD
                opened.append(_Call(name=self._found[before].text if named else ""))
            elif text == ")" and opened:
                yield opened.pop()
            elif opened and text == ",":
                opened[-1].arguments.append([])
            elif opened:
                opened[-1].arguments[-1].append(place)
            before = place

    def _pair(self, call: _Call, at: int, *, patterned: bool) -> None:
        """The arguments that name a database and a table."""
        lone = [argument[0] if len(argument) == 1 else None for argument in call.arguments]
        database, table = (lone[i] if i < len(lone) else None for i in (at, at + 1))
        if database is None or self._found[database].value not in self._databases:
            return
        old = self._found[database].value
        if patterned:
            self._put(database, self._naming.database(old))
        elif table is not None:
            new = self._naming.table((old, self._found[table].value))
            self._put(database, new[0])
            self._put(table, new[1])

    def _full_name(self, call: _Call) -> None:
        first = call.arguments[0]
        if len(first) == 1 and self._found[first[0]].value in self._full:
            key = self._full[self._found[first[0]].value]
            self._put(first[0], ".".join(self._naming.tables[key]))

    def _source(self, places: Sequence[int]) -> None:
        """The source of a dictionary: words with values behind them."""
        values = {
            self._found[word].text.upper(): value
            for word, value in pairwise(places)
            if self._found[word].kind is TokenKind.WORD
        }
        host = values.get("HOST")
        if host is not None and self._found[host].value not in _LOCAL:
            return
        database, table, query = values.get("DB"), values.get("TABLE"), values.get("QUERY")
        if query is not None and self._found[query].kind is TokenKind.STRING:
            inner = rename_references(self._found[query].value, self._naming)
            self.left += inner.left
            self._put(query, inner.text)
        if database is None or self._found[database].value not in self._databases:
            return
        old = self._found[database].value
        if table is None:
            self._put(database, self._naming.database(old))
            return
        new = self._naming.table((old, self._found[table].value))
        self._put(database, new[0])
        self._put(table, new[1])

    def _put(self, place: int, name: str) -> None:
        """Put a name in, quoted as the old one is; the same name stays as it is."""
        token = self._found[place]
        if token.value != name:
            self.texts[place] = (
                literal(name) if token.kind is TokenKind.STRING else identifier(name)
            )


def move_path(text: str, mark: str) -> str:
    """The statement with another path in Keeper, where it is written out: with `mark` at its end.

    A path made of the table's id moves with the id. What stands for the names of database and table
    is filled in, as servers rename no table whose path hangs on them.
    """
    create = ddl.parse(text)
    place = _path_place(create) if create is not None else None
    if create is None or place is None:
        return text
    path = create.tokens[place].value
    if "{uuid}" in path:
        return text
    database = create.tokens[create.database].value if create.database is not None else ""
    path = path.replace("{database}", database).replace("{table}", create.tokens[create.name].value)
    texts = [token.text for token in create.tokens]
    texts[place] = literal(f"{path.rstrip('/')}-{mark}")
    return "".join(texts)


def path_of(text: str) -> str:
    """The path in Keeper that a statement writes out; empty where it has none."""
    create = ddl.parse(text)
    place = _path_place(create) if create is not None else None
    return create.tokens[place].value if create is not None and place is not None else ""


def _path_place(create: ddl.Create) -> int | None:
    """The position of the path in Keeper among the tokens."""
    if not (create.engine.startswith("Replicated") or create.engine == "KeeperMap"):
        return None
    words = [create.tokens[place] for place in create.clauses]
    start = next(
        (
            place
            for word, place in zip(words, create.clauses, strict=True)
            if word.is_word("ENGINE")
        ),
        None,
    )
    if start is None:
        return None
    rest = [
        place
        for place in range(start + 1, len(create.tokens))
        if create.tokens[place].kind not in {TokenKind.SPACE, TokenKind.COMMENT}
    ]
    # = name ( path
    opened = [number for number in rest[:4] if create.tokens[number].text == "("]
    if not opened:
        return None
    path = rest[rest.index(opened[0]) + 1]
    return path if create.tokens[path].kind is TokenKind.STRING else None
