"""CREATE statements as servers store them, and as a restore needs them."""

from dataclasses import dataclass
from itertools import pairwise, zip_longest

from dumpers.engines.clickhouse.schema.lexer import Token, TokenKind, tokens

# Words between CREATE and what is created.
_BEFORE = ("OR", "REPLACE", "TEMPORARY", "MATERIALIZED", "LIVE", "WINDOW", "NORMAL")
# What stands among a table's columns and is none.
_NO_COLUMNS = ("INDEX", "CONSTRAINT", "PROJECTION", "STATISTICS", "PRIMARY")
_OBJECTS = ("TABLE", "VIEW", "DICTIONARY", "DATABASE")
# What a TimeSeries table and a materialized view call the tables that they keep their rows in.
_INNER = ("TO", "DATA", "RECENT", "SAMPLES", "TAGS", "METRIC", "METRICS", "FAMILIES")


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A CREATE statement; what lies where is said in positions among its tokens.

    `database` is None where the name stands alone. `clauses` are the tokens outside of all
    parentheses between the name and the query, which `query` says the AS of, or None.
    """

    tokens: tuple[Token, ...]
    verb: int
    object: str
    database: int | None
    name: int
    clauses: tuple[int, ...]
    query: int | None

    @property
    def target(self) -> tuple[str, str] | None:
        """Database (empty where not said) and name of the table that a view writes `TO`."""
        words = self._clauses()
        for place, word in enumerate(words):
            # Behind the engine, TO says where old rows are moved.
            if word.is_word("ENGINE", "STORAGE"):
                break
            if word.is_word("TO") and self._is_keyword(place) and place + 1 < len(words):
                first, *rest = words[place + 1 : place + 4]
                if first.is_word("INNER"):
                    continue
                if len(rest) > 1 and rest[0].text == ".":
                    return first.value, rest[1].value
                return "", first.value
        return None

    @property
    def engine(self) -> str:
        """The engine that it asks for, `name()` where it takes a function's rows; else empty."""
        words = self._clauses()
        for place, (word, following) in enumerate(pairwise(words)):
            if not self._is_keyword(place):
                continue
            third = words[place + 2] if place + 2 < len(words) else following
            if word.is_word("ENGINE"):
                # Its value: servers put quotes around a name that is a keyword, as `Null` is.
                return third.value if following.text == "=" else following.value
            if word.is_word("AS") and third.text == "(":
                return f"{following.text}()"
        return ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns, as far as it lists them."""
        found, depth, begins = list[str](), 0, False
        for place in range(self.name + 1, len(self.tokens) if self.query is None else self.query):
            token = self.tokens[place]
            if token.kind in {TokenKind.SPACE, TokenKind.COMMENT}:
                continue
            if token.text == ")":
                depth -= 1
            if not depth and (token.text == ")" or token.is_word("ENGINE", "SOURCE", "AS")):
                break
            if token.text == "(":
                depth += 1
                begins = depth == 1
                continue
            if depth == 1 and begins and token.is_name and not token.is_word(*_NO_COLUMNS):
                found.append(token.value)
            begins = depth == 1 and token.text == ","
        return tuple(found)

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id and that of a view's own table, as far as they stand in it."""
        found = [self.tokens[place] for place in id_places(self)]
        return tuple(token.value for token in found if token.kind is TokenKind.STRING)

    @property
    def is_refreshable(self) -> bool:
        """Whether the statement makes a view that refills its table by the clock."""
        words = self._clauses()
        return any(
            word.is_word("REFRESH") and following.is_word("EVERY", "AFTER")
            for word, following in pairwise(words)
        )

    def has_clause(self, word: str) -> bool:
        """Whether a keyword stands between name and query, outside of parentheses."""
        return any(
            found.is_word(word) and self._is_keyword(place)
            for place, found in enumerate(self._clauses())
        )

    def names_elsewhere(self, database: str) -> bool:
        """Whether the statement may name a database anywhere but in the object's own name.

        A string counts, as a Distributed table and a dictionary have names in strings.
        """
        return any(
            token.kind in {TokenKind.WORD, TokenKind.QUOTED, TokenKind.STRING}
            and (token.value == database or token.value.startswith(f"{database}."))
            for place, token in enumerate(self.tokens)
            if place not in {self.database, self.name}
        )

    def _clauses(self) -> list[Token]:
        return [self.tokens[place] for place in self.clauses]

    def _is_keyword(self, place: int) -> bool:
        return place == 0 or self.tokens[self.clauses[place - 1]].text != "."


def parse(text: str) -> Create | None:
    """Read the head of a CREATE or ATTACH; None for what creates neither table nor database."""
    found = tuple(tokens(text))
    rest = [
        place
        for place, token in enumerate(found)
        if token.kind not in {TokenKind.SPACE, TokenKind.COMMENT}
    ]
    if not rest or not found[rest[0]].is_word("CREATE", "ATTACH"):
        return None
    verb = rest.pop(0)
    while rest and found[rest[0]].is_word(*_BEFORE):
        rest.pop(0)
    if not rest or not found[rest[0]].is_word(*_OBJECTS):
        return None
    thing = found[rest.pop(0)].text.upper()
    if [found[place].text.upper() for place in rest[:3]] == ["IF", "NOT", "EXISTS"]:
        del rest[:3]
    if not rest or not found[rest[0]].is_name:
        return None
    name, database = rest.pop(0), None
    if len(rest) > 1 and found[rest[0]].text == "." and found[rest[1]].is_name:
        database, name = name, rest[1]
        del rest[:2]
    clauses, query = _outside(found, rest)
    return Create(
        tokens=found,
        verb=verb,
        object=thing,
        database=database,
        name=name,
        clauses=clauses,
        query=query,
    )


def _outside(found: tuple[Token, ...], rest: list[int]) -> tuple[tuple[int, ...], int | None]:
    """The positions that are outside of parentheses, up to the AS before a query."""
    depth = 0
    outside: list[int] = []
    for place, following in zip_longest(rest, rest[1:]):
        text = found[place].text
        if text == ")":
            depth -= 1
        if depth == 0:
            if found[place].is_word("AS") and following is not None and _begins(found[following]):
                return tuple(outside), place
            outside.append(place)
        if text == "(":
            depth += 1
    return tuple(outside), None


def _begins(token: Token) -> bool:
    return token.is_word("SELECT", "WITH") or token.text == "("


def id_places(create: Create) -> list[int]:
    """The positions of `UUID '…'`, with the words that say whose id it is."""
    places = create.clauses
    found: list[int] = []
    for number, place in enumerate(places[:-1]):
        is_id = (
            create.tokens[place].is_word("UUID")
            and create.tokens[places[number + 1]].kind is TokenKind.STRING
        )
        if not is_id:
            continue
        first = number
        if number and create.tokens[places[number - 1]].is_word("INNER"):
            first = number - 1
            while first and create.tokens[places[first - 1]].is_word(*_INNER):
                first -= 1
        elif number:
            # Only what stands right behind the name is the id of what is created.
            continue
        found += places[first : number + 2]
    return found
