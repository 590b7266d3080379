"""A server's schema as scripts that a stock client runs, in the order of a restore.

Views come after the rows: a materialized view would compute those anew that it already has.
"""

from collections.abc import Iterable, Mapping, Sequence

from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.create_order import Phase, phases
from dumpers.engines.clickhouse.schema.lexer import TokenKind, tokens
from dumpers.engines.clickhouse.schema.names.rewriting import rewrite
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.sql import identifier, literal
from dumpers.runtime.errors import SourceFailedError

# The kind of the script that creates databases and tables, as manifests have it.
TABLES_SCRIPT = "schema"
# The kind of the script that creates databases which show another system's tables.
FOREIGN_DATABASES_SCRIPT = "foreign-databases"
# The kind of the script that creates views which need what is not in the dump.
INCOMPLETE_SCRIPT = "incomplete-views"
_UUID = "{uuid}"
# Databases that every server has already, under whatever engine.
_THERE = frozenset(("default",))


def tables(
    databases: Iterable[str],
    *,
    functions: Iterable[str],
    collections: Mapping[str, Mapping[str, str]],
    found: Sequence[BackupTable],
) -> str:
    """Create everything that rows need: named collections, functions, databases and tables.

    `databases` are statements.
    """
    return script(
        [
            *(_collection(name, values) for name, values in collections.items()),
            *functions,
            *(rewrite(create) for create in databases if not _is_there(create)),
            *_creates(found, Phase.TABLES, Phase.DEPENDENT),
        ]
    )


def views(found: Sequence[BackupTable]) -> str:
    """Create tables that forward to others, and views; one may need another to exist first.

    Servers do not record which view reads which.
    """
    return script(_creates(found, Phase.FORWARDING, Phase.VIEWS))


def materialized_views(found: Sequence[BackupTable]) -> str:
    """Create materialized views, except those with rows of their own: they come with their rows."""
    passive = [item for item in found if item.kind is not TableTreatment.VIEW_WITH_DATA]
    return script(_creates(passive, Phase.MATERIALIZED_VIEWS, Phase.REFRESHABLE_VIEWS))


def all_views(found: Sequence[BackupTable]) -> str:
    """Create views of all kinds, in the order in which they need each other."""
    return script(_creates(found, *Phase))


def views_with_rows(found: Sequence[BackupTable]) -> list[list[BackupTable]]:
    """Materialized views that have rows of their own, by levels: each is loaded before the next.

    A view that reads another one would otherwise compute anew what it already has.
    """
    views = [item for item in found if item.kind is TableTreatment.VIEW_WITH_DATA]
    owners = {table.key: item.table.key for item in views for table in (item.table, item.store)}
    left = {item.table.key: item for item in views}
    needs = {
        key: {owners[need] for need in item.table.needs if need in owners} - {key}
        for key, item in left.items()
    }
    levels = []
    while left:
        # Of views that need each other in a circle, none can come first.
        ready = [key for key in left if not needs[key] & left.keys()] or list(left)
        levels.append([left.pop(key) for key in ready])
    return levels


def creates(found: Iterable[BackupTable]) -> str:
    """The statements that make these tables, as they come."""
    return script(map(_create, found))


def script(statements: Iterable[str]) -> str:
    """Statements as one text."""
    return "".join(f"{statement};\n\n" for statement in statements)


def statements(text: str) -> list[str]:
    """The statements of a script."""
    found, words = [], list[str]()
    for token in tokens(text):
        if token.kind is TokenKind.OTHER and token.text == ";":
            found.append("".join(words).strip())
            words = []
        else:
            words.append(token.text)
    return [text for text in (*found, "".join(words).strip()) if text]


def _creates(found: Sequence[BackupTable], *wanted: Phase) -> list[str]:
    return [_create(item) for phase, held in phases(found) if phase in wanted for item in held]


def _create(item: BackupTable) -> str:
    """The statement that makes a table, with its id if its path in Keeper is made of the id.

    Servers refuse such a path without one, as every replica would have a path of its own.
    """
    if not item.table.create:
        raise SourceFailedError(
            f"the server does not tell how {item.table.full_name} is created: it was dropped "
            "meanwhile, or its metadata is damaged; leave it out by the annotation exclude-tables "
            "if it stays so"
        )
    if _UUID not in item.store.create:
        return rewrite(item.table.create)
    inner_id = "" if item.store is item.table else item.store.uuid
    return rewrite(item.table.create, id_=item.table.uuid, inner_id=inner_id)


def _is_there(create: str) -> bool:
    parsed = ddl.parse(create)
    return parsed is not None and parsed.tokens[parsed.name].value in _THERE


def _collection(name: str, values: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{identifier(key)} = {literal(value)}" for key, value in values.items())
    return f"CREATE NAMED COLLECTION {identifier(name)} AS {pairs}"
