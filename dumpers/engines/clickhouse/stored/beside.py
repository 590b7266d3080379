"""What must not be made beside live tables, and tables for the rows of views."""

from dumpers.engines.clickhouse.schema.lexer import TokenKind
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.schema.names.references import needed_tables
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.stored.contents import Statement
from dumpers.engines.clickhouse.stored.wanted import Wanted

# A second reader of the same queue takes rows away from the first.
_QUEUES = frozenset(("Kafka", "RabbitMQ", "NATS", "S3Queue", "AzureQueue", "FileLog"))
# These go on copying another system's tables, under the same name there.
_COPYING = frozenset(("MaterializedPostgreSQL", "MaterializedMySQL"))


def why_not_beside(statement: Statement, wanted: Wanted) -> str:
    """Why a table or view must not be made beside the live one; empty if it may be.

    A view beside that reads live tables would change with them, and one that writes to a live table
    would fill it.
    """
    create, key = statement.create, statement.key
    assert create is not None
    assert key is not None
    if create.engine in _QUEUES:
        return f"two {create.engine} tables would take each other's rows out of one queue"
    if create.engine in _COPYING:
        return f"a {create.engine} table copies another system's rows for itself"
    if create.is_refreshable:
        return "it would replace the rows of its table by the clock"
    if statement.is_materialized:
        view = Table(database=key[0], name=key[1], engine="MaterializedView", create=statement.text)
        needed = {*needed_tables(view)} | ({create.target} if create.target else set())
        live = sorted(full_name(*need) for need in needed if need not in wanted.keys)
        if live:
            return f"it reads or fills tables that are not restored beside: {', '.join(live)}"
    return ""


def table_of_view(statement: Statement) -> str:
    """A statement that makes a plain table like the one in which a view keeps its rows.

    Nothing fills such a table but what is loaded into it.
    """
    create = statement.create
    assert create is not None
    begin = next(
        place
        for place in range(create.name + 1, len(create.tokens))
        if create.tokens[place].text == "("
    )
    name = "".join(
        token.text
        for token in create.tokens[
            create.name if create.database is None else create.database : create.name + 1
        ]
        if token.kind is not TokenKind.COMMENT
    )
    body = "".join(token.text for token in create.tokens[begin : create.query])
    return f"CREATE TABLE {name} {body.strip()}"
