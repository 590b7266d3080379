"""What a dump says of a table besides its engine: what its text hides, loses or asks for."""

import re
from collections.abc import Iterator
from itertools import pairwise

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.lexer import TokenKind, significant
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.table_engines import FOREIGN

HIDDEN = "[HIDDEN]"
# What stands in JSON for bytes that are no text.
NO_UTF8 = "\ufffd"
_DISKS = re.compile(r"\b(?:storage_policy|disk) = (?!'default')")
# Dictionaries of these sources hold what this server has, or nothing of their own.
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_OWN_SOURCES = frozenset(("CLICKHOUSE", "NULL"))

# Functions whose values are not of the row alone, in lower case, and beginnings of such names.
_CHANGING = frozenset(
    (
        *("now", "now64", "nowinblock", "today", "yesterday", "utctimestamp", "current_timestamp"),
        *("curdate", "current_date", "hostname", "fqdn", "serveruuid", "servertimezone", "uptime"),
        *("timezone", "version", "tcpport", "currentuser", "user", "currentdatabase", "database"),
        *("queryid", "initialqueryid", "getmacro", "getsetting", "getserverport", "shardnum"),
        *("rownumberinblock", "rownumberinallblocks", "blocknumber", "blocksize", "neighbor"),
        *("connectionid", "file", "fuzzbits"),
    )
)
_CHANGING_BEGINNINGS = ("rand", "generateu", "generates", "dict", "joinget", "runningd", "filesys")


def note(code: NoteCode, text: str, *objects: str) -> Note:
    """A note on some objects, by their full names."""
    return Note(code=code, text=text, objects=objects)


def notes_on_view(view: Table, store: Table) -> Iterator[Note]:
    """What is to be known of a materialized view, given the table that holds its rows."""
    create = ddl.parse(view.create)
    if create is None:
        return
    if store is view and create.target is None:
        yield note(
            NoteCode.UNREADABLE,
            "the rows of these views are not in this dump, as this account does not see the tables "
            "that they keep them in",
            view.full_name,
        )
    if create.is_refreshable:
        yield note(
            NoteCode.RESTORE_NEEDS,
            "a restore makes these views without a first refresh, which would replace the rows of "
            "their targets",
            view.full_name,
        )


def notes_on_text(table: Table) -> Iterator[Note]:
    """What is to be known of a table from the statement that makes it."""
    if NO_UTF8 in table.create:
        yield note(
            NoteCode.ALTERED,
            "the statements of these tables hold bytes that are not UTF-8, which were lost",
            table.full_name,
        )
    if has_secret(table.create):
        yield note(
            NoteCode.SECRETS_HIDDEN,
            "the server hides secrets in these statements: put them in before a restore runs them",
            table.full_name,
        )
    if table.engine == "Dictionary" and _is_from_elsewhere(table.create):
        yield note(FOREIGN.code, FOREIGN.text, table.full_name)


def notes_on_rows(table: Table, store: Table) -> Iterator[Note]:
    """What is to be known of rows that are saved; `store` is the table that holds them."""
    changing = [
        f"{table.full_name}.{column.name}"
        for column in store.columns
        if column.default_kind == "MATERIALIZED" and _changes(column.expression)
    ]
    if changing and not (store is table and store.loads_computed):
        yield note(
            NoteCode.ALTERED,
            "a restore computes these MATERIALIZED columns anew, to other values",
            *changing,
        )
    if "TTL" in store.create and any(token.is_word("TTL") for token in significant(store.create)):
        yield note(
            NoteCode.RESTORE_NEEDS,
            "rows and values of these tables that are past their TTL go as soon as they are loaded",
            table.full_name,
        )
    if _DISKS.search(store.engine_full):
        yield note(
            NoteCode.RESTORE_NEEDS,
            "these tables ask for disks or storage policies, which a restored server needs, too",
            table.full_name,
        )


def has_secret(statement: str) -> bool:
    """Whether the server hides a secret in a statement."""
    # Most statements hold no such text at all.
    return HIDDEN in statement and any(
        HIDDEN in token.text for token in significant(statement) if token.kind is TokenKind.STRING
    )


def _is_from_elsewhere(create: str) -> bool:
    """Whether a dictionary's source lies in another system."""
    found = significant(create)
    for place, token in enumerate(found[:-2]):
        if token.is_word("SOURCE") and found[place + 1].text == "(":
            source = found[place + 2].text.upper()
            hosts = [
                following.value
                for word, following in pairwise(found[place:])
                if word.is_word("HOST")
            ]
            return source not in _OWN_SOURCES or not _LOCAL.issuperset(hosts)
    return False


def _changes(expression: str) -> bool:
    return any(
        word.kind is TokenKind.WORD
        and following.text == "("
        and (word.text.lower() in _CHANGING or word.text.lower().startswith(_CHANGING_BEGINNINGS))
        for word, following in pairwise(significant(expression))
    )
