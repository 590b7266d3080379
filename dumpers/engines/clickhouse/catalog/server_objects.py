"""Reading what is no database or table: functions, named collections, accounts, policies."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dumpers.engines.clickhouse.catalog.system_tables import columns_of
from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt

# Where the server lists what the last word of each kind creates.
_KINDS = {"USER": "users", "ROLE": "roles", "PROFILE": "settings_profiles", "QUOTA": "quotas"}


def functions(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """The statements that make the functions which somebody wrote in SQL."""
    if not {"origin", "create_query"} <= columns_of(server, "functions", interrupt):
        return ()
    rows = server.rows(
        f"SELECT create_query FROM {server.source('system', 'functions')} "  # noqa: S608  quoted
        "WHERE toString(origin) = 'SQLUserDefined' ORDER BY name",
        interrupt,
    )
    return tuple(row[0] for row in rows)


def collections(server: Server, interrupt: Interrupt) -> Mapping[str, Mapping[str, str]]:
    """The named collections that the account may see, with their values, which may be hidden."""
    if not columns_of(server, "named_collections", interrupt):
        return {}
    source = server.source("system", "named_collections")
    rows = server.rows(f"SELECT name, collection FROM {source} ORDER BY name", interrupt)  # noqa: S608  quoted
    return dict(rows)


def spooled(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """The Distributed tables that hold rows which they have not passed on."""
    if not columns_of(server, "distribution_queue", interrupt):
        return ()
    rows = server.rows(
        f"SELECT database, table FROM {server.source('system', 'distribution_queue')} "  # noqa: S608  quoted
        "WHERE data_files > 0 ORDER BY database, table",
        interrupt,
    )
    return [f"{database}.{table}" for database, table in rows]


def policies(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """The row policies that the account may see, each with its table."""
    if not columns_of(server, "row_policies", interrupt):
        return ()
    source = server.source("system", "row_policies")
    rows = server.rows(f"SELECT name FROM {source} ORDER BY name", interrupt)  # noqa: S608  quoted
    return tuple(row[0] for row in rows)


def access(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """The statements that make users, roles, policies, quotas and profiles, but those of files.

    Where another server is asked for this one, there are none: that would be the other's own.
    """
    if server.address or not columns_of(server, "users", interrupt):
        return ()
    of_files = {
        (kind, row[0])
        for kind, table in _KINDS.items()
        for row in server.rows(
            f"SELECT name FROM system.{table} WHERE storage = 'users_xml'",  # noqa: S608  constants
            interrupt,
        )
    }
    statements = [row[0] for row in server.rows("SHOW ACCESS", interrupt)]
    return tuple(text for text in statements if _subject(text) not in of_files)


def grants(server: Server, interrupt: Interrupt) -> Sequence[str]:
    """The account's own grants; empty where the server has no accounts in SQL."""
    if not columns_of(server, "grants", interrupt):
        return ()
    return tuple(row[0] for row in server.rows("SHOW GRANTS", interrupt))


def _subject(statement: str) -> tuple[str, str]:
    """Kind (as a keyword) and name of the object that a statement creates or grants to."""
    found = significant(statement)
    if found[0].is_word("GRANT"):
        to = max(place for place, token in enumerate(found) if token.is_word("TO"))
        return "USER", found[to + 1].value
    for token, following in pairwise(found):
        if token.is_word(*_KINDS):
            return token.text.upper(), following.value
    return "", ""
