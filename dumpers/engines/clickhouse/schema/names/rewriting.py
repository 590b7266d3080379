"""Stored CREATE statements, fit to be run on another server."""

import re

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.ddl import Create
from dumpers.engines.clickhouse.schema.lexer import TokenKind
from dumpers.engines.clickhouse.server.sql import identifier, literal
from dumpers.runtime.errors import TargetRefusedError

_SHOWN = 80
# Servers show columns of these, and take none.
_WITHOUT_COLUMNS = ("Alias",)
# Without such a word a statement stays as it is, as most do; to read one takes ten times as long.
_MAY_CHANGE = re.compile("uuid|alias|refresh", re.IGNORECASE)
_CREATE_TABLE = "CREATE TABLE "


def rewrite(
    text: str, *, database: str = "", name: str = "", id_: str = "", inner_id: str = ""
) -> str:
    """A stored statement, fit to be run on another server: into `database`, if one is given.

    `name` is the object's own new name, if it gets one.

    It creates instead of attaching, takes no table's id with it but those given, of itself and of
    a view's own table, and a view that refreshes itself does not do so at once, which would replace
    the rows of its target. All else stays as it is, other mentions of the database too. Raises
    TargetRefusedError for what is no such statement.
    """
    is_moved = database or name or id_ or inner_id
    if not is_moved and text.startswith(_CREATE_TABLE) and not _MAY_CHANGE.search(text):
        return text
    create = ddl.parse(text)
    if create is None:
        raise TargetRefusedError(
            f"this backup holds a statement that creates no table: {text[:_SHOWN]!r}"
        )
    texts = [token.text for token in create.tokens]
    if create.tokens[create.verb].is_word("ATTACH"):
        texts[create.verb] = "CREATE"
    _name(create, texts, database, name)
    for place in ddl.id_places(create):
        texts[place] = ""
        if create.tokens[place - 1].kind is TokenKind.SPACE:
            texts[place - 1] = ""
    if create.engine in _WITHOUT_COLUMNS:
        for place in column_list(create):
            texts[place] = ""
    for clause, given in ((" UUID ", id_), (" TO INNER UUID ", inner_id)):
        texts[create.name] += clause + literal(given) if given else ""
    if create.query is not None and create.is_refreshable and not create.has_clause("EMPTY"):
        texts[create.query] = f"EMPTY {texts[create.query]}"
    return "".join(texts)


def _name(create: Create, texts: list[str], database: str, name: str) -> None:
    """Put the names of a database and of what is created in, so far as they are given."""
    if name:
        texts[create.name] = identifier(name)
    if not database:
        return
    if create.object == "DATABASE":
        texts[create.name] = identifier(database)
    elif create.database is not None:
        texts[create.database] = identifier(database)
    else:
        texts[create.name] = f"{identifier(database)}.{texts[create.name]}"


def column_list(create: Create) -> range:
    """The positions of the list of columns behind the name, with its parentheses; none without."""
    depth, begin = 0, 0
    for place in range(create.name + 1, len(create.tokens)):
        token = create.tokens[place]
        if not depth and token.is_word("ENGINE", "AS"):
            break
        if token.text == "(":
            begin = begin or place
            depth += 1
        elif token.text == ")":
            depth -= 1
            if not depth:
                return range(begin, place + 1)
    return range(0)
