"""Reading users, roles, policies, quotas, profiles and workloads, as their statements."""

import re
from collections.abc import Sequence
from itertools import pairwise

from dumpers.engines.clickhouse.catalog.system_tables import Scope
from dumpers.engines.clickhouse.schema.lexer import significant
from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.interrupt import Interrupt

# Where the server lists what the last word of each kind creates.
_KINDS = {"USER": "users", "ROLE": "roles", "PROFILE": "settings_profiles", "QUOTA": "quotas"}
# Every server's own configuration has these.
_STOCK = frozenset(("default", "readonly"))
_PASSWORD = re.compile(r"(?:password|hash)", re.IGNORECASE)


def read_access(server: Server, scope: Scope, interrupt: Interrupt) -> Sequence[str]:
    """The statements that make users, roles, policies, quotas and profiles, but those of files.

    Where another server is asked for this one, there are none: that would be the other's own.
    """
    if server.address or not scope.has("users"):
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
    return tuple(text for text in statements if subject_of(text) not in of_files)


def read_configured_accounts(server: Server, scope: Scope, interrupt: Interrupt) -> Sequence[str]:
    """Users, roles, quotas and profiles of the server's files, without those of every server."""
    if server.address or not scope.has("users"):
        return ()
    try:
        return tuple(
            row[0]
            for table in _KINDS.values()
            for row in server.rows(
                f"SELECT name FROM system.{table} WHERE storage = 'users_xml' ORDER BY name",  # noqa: S608  constants
                interrupt,
            )
            if row[0] not in _STOCK
        )
    except server.errors.refused:
        # The same right as for accounts, of which a note tells already.
        return ()


def read_workloads(server: Server, scope: Scope, interrupt: Interrupt) -> Sequence[str]:
    """The statements that make resources and workloads, each behind its parent."""
    statements = list[str]()
    for table, order in (("resources", "name"), ("workloads", "parent != '', name")):
        if scope.has(table, "name", "create_query") and not server.address:
            rows = server.rows(
                f"SELECT create_query FROM system.{table} ORDER BY {order}",  # noqa: S608  constants
                interrupt,
            )
            statements += [row[0] for row in rows]
    return statements


def read_handlers(server: Server, scope: Scope, interrupt: Interrupt) -> Sequence[str]:
    """The statements that make handlers of HTTP; those of configuration files have none."""
    if not scope.has("handlers", "name", "create_query") or server.address:
        return ()
    rows = server.rows("SELECT create_query FROM system.handlers ORDER BY name", interrupt)
    return [row[0] for row in rows if row[0]]


def hides_password(statement: str) -> bool:
    """Whether a statement makes an account by a password that it does not have."""
    words = significant(statement)
    return any(
        word.is_word("WITH")
        and _PASSWORD.search(following.text) is not None
        and not following.is_word("NO_PASSWORD")
        and not any(each.is_word("BY") for each in words[place + 2 : place + 3])
        for place, (word, following) in enumerate(pairwise(words))
    )


def subject_of(statement: str) -> tuple[str, str]:
    """Kind (as a keyword) and name of the object that a statement creates or grants to."""
    found = significant(statement)
    if found[0].is_word("GRANT"):
        to = max(place for place, token in enumerate(found) if token.is_word("TO"))
        return "USER", found[to + 1].value
    for token, following in pairwise(found):
        if token.is_word(*_KINDS):
            return token.text.upper(), following.value
    return "", ""
