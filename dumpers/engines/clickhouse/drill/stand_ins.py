"""What a drill makes in place of what must not run in a throwaway server, or cannot.

A restore leaves alone what exists already, so what is made beforehand stands in for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dumpers.engines.clickhouse.drill.part_limits import limits_parts, without_limits
from dumpers.engines.clickhouse.schema import ddl, scripts
from dumpers.engines.clickhouse.schema.ddl import Create
from dumpers.engines.clickhouse.schema.lexer import TokenKind
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.schema.names.rewriting import column_list, rewrite
from dumpers.engines.clickhouse.schema.table_engines import (
    FILES,
    FOREIGN,
    KEEPER,
    by_engine,
    is_replicated,
)
from dumpers.engines.clickhouse.server.sql import identifier, qualified
from dumpers.engines.clickhouse.stored.contents import Contents, Script, Statement

_REPLICATED_DATABASES = frozenset(("Replicated", "Shared"))
_PATH_AND_REPLICA = 2
# Columns that engines have besides a table's own, for views that read them.
_QUEUE_COLUMNS = (
    *("_topic String", "_key String", "_offset UInt64", "_partition UInt64"),
    *("_timestamp Nullable(DateTime)", "_timestamp_ms Nullable(DateTime)"),
    *("`_headers.name` Array(String)", "`_headers.value` Array(String)"),
    *("_error String", "_raw_message String", "_exchange_name String", "_channel_id String"),
    *("_delivery_tag UInt64", "_redelivered UInt8", "_message_id String", "_subject String"),
    *("_filename String", "_path String", "_file String", "_size Nullable(UInt64)"),
    "_time Nullable(DateTime)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What is made in place of what a statement makes, under its name, and why.

    `is_alike`: the structure is that of the statement, and is compared.
    """

    statement: Statement
    text: str
    why: str
    is_alike: bool = False

    @property
    def name(self) -> str:
        """The full name of both."""
        return full_name(*(self.statement.key or (self.statement.database,)))


def find_stand_ins(contents: Contents) -> Iterator[StandIn]:
    """All stand-ins of a drill of this backup: databases first."""
    for script in contents.scripts.values():
        for statement in script.statements:
            if statement.database:
                yield from _database(script, statement)
    for key in contents.keys:
        made = contents.made.get(key)
        if made is not None:
            yield from _table(contents, made)


def _database(script: Script, statement: Statement) -> Iterator[StandIn]:
    assert statement.create is not None
    plain = f"CREATE DATABASE {identifier(statement.database)}"
    if script.kind == scripts.FOREIGN_DATABASES_SCRIPT:
        yield StandIn(
            statement=statement,
            text=plain,
            why="these show or copy other systems' tables, and are made as empty databases",
        )
    elif statement.create.engine in _REPLICATED_DATABASES:
        yield StandIn(
            statement=statement,
            text=plain,
            why="these replicate themselves by a Keeper, and are made as plain databases",
        )


def _table(contents: Contents, statement: Statement) -> Iterator[StandIn]:
    create, key = statement.create, statement.key
    assert create is not None
    assert key is not None
    if statement.is_materialized and create.is_refreshable:
        engine = "MergeTree ORDER BY tuple()" if key in contents.rows else "Null"
        yield StandIn(
            statement=statement,
            text=_like(create, key, engine),
            why="these views refresh themselves by the clock, and are made as tables",
        )
    elif statement.is_materialized and (is_replicated(create.engine) or limits_parts(create)):
        # A view that exists while rows are loaded would compute those anew that it has already.
        yield StandIn(
            statement=statement,
            text=_like(create, key, "MergeTree ORDER BY tuple()"),
            why="these views keep their rows in tables that are replicated or limit their parts, "
            "and are made as tables",
        )
    elif is_replicated(create.engine):
        yield StandIn(
            statement=statement,
            text=without_limits(without_keeper(statement.text)),
            why="these are made without replication, so that their paths in Keeper are not tried",
            is_alike=True,
        )
    elif create.object == "TABLE" and limits_parts(create):
        yield StandIn(
            statement=statement,
            text=without_limits(statement.text),
            why="these are made without their own limits of parts, as nothing merges parts here",
            is_alike=True,
        )
    elif create.object == "TABLE" and (why := _why_not_here(create)):
        more = [column for column in _QUEUE_COLUMNS if not _has(create, column)]
        yield StandIn(
            statement=statement,
            text=_like(create, key, "Null", more),
            why=f"{why}, and they are made as tables without rows",
        )


def _why_not_here(create: Create) -> str:
    """Why a throwaway server cannot have a table whose rows are not its own; empty if it can."""
    remarks = by_engine(create.engine)[1]
    if FOREIGN in remarks:
        return "the rows of these lie in other systems, which a drill does not reach"
    if KEEPER in remarks:
        return "the rows of these lie in Keeper, which a throwaway server has not"
    if FILES in remarks and not (create.engine == "File" and _is_own_file(create)):
        return "the rows of these lie in files of their server, which a throwaway server has not"
    return ""


def _is_own_file(create: Create) -> bool:
    """Whether a File table names no file: its server then makes one in the table's own folder."""
    begin = next(place for place in create.clauses if create.tokens[place].is_word("ENGINE"))
    depth = 0
    for token in create.tokens[begin:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth:
            return False
    return True


def without_keeper(text: str) -> str:
    """A statement that makes the same table, but for its replication."""
    create = ddl.parse(text)
    assert create is not None
    texts = [token.text for token in create.tokens]
    for place, clause in enumerate(create.clauses[:-1]):
        if not create.tokens[clause].is_word("ENGINE"):
            continue
        following = create.clauses[place + 1]
        at = create.clauses[place + 2] if texts[following] == "=" else following
        engine = create.tokens[at].value
        if not is_replicated(engine):
            continue
        texts[at] = engine.removeprefix("Replicated").removeprefix("Shared")
        for argument in _path_and_replica(create, at):
            texts[argument] = ""
    return rewrite("".join(texts))


def _path_and_replica(create: Create, engine: int) -> Iterator[int]:
    """The positions of an engine's first arguments, which are texts, with what parts them."""
    places, found, opened = list[int](), 0, False
    for place in range(engine + 1, len(create.tokens)):
        token = create.tokens[place]
        if token.kind is TokenKind.SPACE:
            if opened:
                places.append(place)
        elif not opened:
            if token.text != "(":
                return
            opened = True
        elif token.kind is TokenKind.STRING and found < _PATH_AND_REPLICA:
            found += 1
            places.append(place)
        elif token.text == "," and found:
            places.append(place)
            if found == _PATH_AND_REPLICA:
                break
        else:
            break
    if found == _PATH_AND_REPLICA:
        yield from places


def _like(create: Create, key: tuple[str, str], engine: str, more: list[str] | None = None) -> str:
    """A table with the columns that a statement lists."""
    listed = _columns(create)
    computed = ", ".join(f"{column} MATERIALIZED {_EMPTY[_type(column)]}" for column in more or ())
    inside = ", ".join(text for text in (listed, computed) if text)
    return f"CREATE TABLE {qualified(*key)} ({inside}) ENGINE = {engine}"


_EMPTY = {
    "String": "''",
    "UInt64": "0",
    "UInt8": "0",
    "Nullable(DateTime)": "NULL",
    "Nullable(UInt64)": "NULL",
    "Array(String)": "CAST([] AS Array(String))",
}


def _type(column: str) -> str:
    return column.partition(" ")[2]


def _has(create: Create, column: str) -> bool:
    return column.partition(" ")[0].strip("`") in create.columns


def _columns(create: Create) -> str:
    """What stands in the parentheses behind the name."""
    return "".join(create.tokens[place].text for place in column_list(create)[1:-1])
