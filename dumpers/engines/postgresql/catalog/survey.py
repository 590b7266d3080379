"""Asking a database what a dump of it lacks, and how pg_dump takes what it can take."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dumpers.engines.names import abbreviate
from dumpers.engines.postgresql.catalog.lists import survey_query
from dumpers.engines.postgresql.catalog.patterns import quote_pattern, quote_patterns
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.choice import CHILDREN_SINCE, EXTENSION_SINCE, Choice
from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import shown
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt

# The server's own function looks at every file of the database, which are three for a table at
# least. What autovacuum keeps up to date is nearly as good; what it has never seen is small, or was
# just filled.
_CONTEXT = """json_build_object('path', current_setting('ksnapshot.path')::json,
  'encoding', (SELECT reset_val FROM pg_settings WHERE name = 'client_encoding'),
  'session', json_strip_nulls(json_build_object(
    'TimeZone', current_setting('TimeZone'), 'bytea_output', current_setting('bytea_output'),
    'quote_all_identifiers', current_setting('quote_all_identifiers'),
    'client_encoding', (SELECT reset_val FROM pg_settings WHERE name = 'client_encoding'),
    'lc_monetary', current_setting('lc_monetary'))),
  'size', CASE WHEN current_setting('autovacuum')::bool
    THEN (SELECT sum(CASE
        WHEN relpages > 0 THEN relpages * current_setting('block_size')::int8
        ELSE 100 * pg_stat_get_live_tuples(oid) END)::int8
      FROM pg_class WHERE relkind IN ('r', 'm', 't'))
    ELSE pg_database_size(current_database()) END)"""
_READABLE = "readable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found in one database.

    `arguments` are pg_dump's, besides those of the choice; `size` in bytes; `path` the schemas in
    which functions that a load calls may look for names, empty where there are none; `extensions`
    their versions; `lists` the names that notes are about; `matched` whether each pattern of the
    choice fits anything; `encoding` is the one that pg_dump talks in, and takes names in. `session`
    are settings that pg_dump leaves as they are, and that show in what it writes.
    """

    database: str
    size: int
    encoding: str = "UTF8"
    arguments: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    matched: tuple[bool, ...] = ()
    session: Mapping[str, str] = field(default_factory=dict)


def ask_survey(
    session: Session, choice: Choice, server: Server, *, tool: int, interrupt: Interrupt
) -> Survey:
    """Ask the session's database, for a pg_dump of the major version `tool`.

    One query, which waits for no lock of a table. Raises SourceRefusedError for a sequence that
    this account may not read.
    """
    members = f"'context', {_CONTEXT}, 'found', ({survey_query(choice, server)})"
    query = f"SELECT json_build_object({members})"
    answer = _parse(session.ask_text(query, interrupt, role=choice.role))
    context, found = answer["context"], answer["found"]
    if shut := found.pop("shut_sequences", []):
        raise SourceRefusedError(
            f"permission denied for sequence {abbreviate(shut)}: grant the account "
            "pg_read_all_data (13: SELECT on the sequences), or leave them out by exclude-tables"
        )
    added = _added_arguments(choice, found, tool)
    functions = [json.loads(item) for item in found.pop("functions", [])]
    lists = {
        name: tuple(value)
        for name, value in found.items()
        if name not in {"matched", "extensions", "children", "unwanted_children"}
    }
    lists["functions"] = tuple(name for _, name in functions)
    path = [schema for schema in context["path"] if schema != "pg_catalog"]
    return Survey(
        database=session.connection.database,
        size=context["size"],
        encoding=choice.encoding or context["encoding"],
        arguments=tuple(added.arguments),
        path=tuple(dict.fromkeys([*path, *(schema for schema, _ in functions)])) * bool(functions),
        extensions=dict(found["extensions"]),
        lists={
            name: tuple(map(shown, value))
            for name, value in {**lists, **added.lists}.items()
            if value
        },
        matched=tuple(found["matched"]),
        session=context["session"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """Arguments that take more into the dump, and the lists of what they leave."""

    arguments: Sequence[str]
    lists: Mapping[str, tuple[str, ...]]


def _added_arguments(choice: Choice, found: Mapping[str, Any], tool: int) -> _Added:
    arguments: list[str] = []
    if tool < CHILDREN_SINCE:
        for option, name in (("--table", "children"), ("--exclude-table", "unwanted_children")):
            names = [(schema, table) for schema, table in found.get(name, [])]
            arguments += [f"{option}={pattern}" for pattern in quote_patterns(names)]
    lacking, wanting = list(found.get("lacking", [])), tuple(found.get("wanting", []))
    sequences = [(schema, name) for schema, name in found.get("lacking_sequences", [])]
    if choice.tables and sequences:
        # A default draws from them, and pg_dump takes those only that a column owns.
        arguments += [f"--table={quote_pattern(*name)}" for name in sequences]
        lacking = [item for item in lacking if not item.startswith("sequence ")]
        schemas = {f"schema {schema}" for schema, _ in sequences if schema != "public"}
        lacking = sorted({*lacking, *schemas})
    if not choice.is_partial:
        wanting = ()
    elif tool >= EXTENSION_SINCE and not choice.extensions:
        arguments += [f"--extension={quote_pattern(name)}" for name in wanting]
        wanting = ()
    large = found.get("large_objects", [])
    if large == [_READABLE] and found["large_object_columns"]:
        # `--large-objects` by a name that every version knows.
        arguments.append("-b")
        large = []
    lists = {"lacking": tuple(lacking), "wanting": wanting, "large_objects": tuple(large)}
    return _Added(arguments=arguments, lists={**lists, "lacking_sequences": ()})


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SourceFailedError(
            f"the server answers no JSON to a query that asks for it: {text[:300]!r}"
        ) from error
