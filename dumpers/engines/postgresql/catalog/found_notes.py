"""The notes of a run: one for each kind of what the surveys of its databases found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.postgresql.catalog.scope import matches
from dumpers.engines.postgresql.catalog.server import Server
from dumpers.engines.postgresql.catalog.survey import Survey
from dumpers.engines.postgresql.choice import Choice
from dumpers.runtime.errors import SourceRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    code: NoteCode
    text: str


_KINDS: Mapping[str, _Kind] = {
    "foreign": _Kind(
        code=NoteCode.FOREIGN_TABLES,
        text="the rows of foreign tables are not in the dump, only their definitions: back up the "
        "servers that hold them, or ask for the rows with pg-dump-options: "
        "--include-foreign-data=SERVER",
    ),
    "unlogged": _Kind(
        code=NoteCode.UNLOGGED_TABLES,
        text="the rows of unlogged tables and the state of unlogged sequences are not in the "
        "dump, as a standby does not have them: dump the primary for them",
    ),
    "of_extensions": _Kind(
        code=NoteCode.NOT_DUMPED,
        text="tables that belong to an extension come with what the extension puts into them: "
        "other rows of theirs are not in the dump, as the extension does not declare them as "
        "configuration (pg_extension_config_dump)",
    ),
    "invalid_indexes": _Kind(
        code=NoteCode.NOT_DUMPED,
        text="invalid indexes, such as CREATE INDEX CONCURRENTLY leaves when it fails, are not in "
        "the dump: REINDEX or drop them",
    ),
    "in_catalogs": _Kind(
        code=NoteCode.NOT_DUMPED,
        text="what somebody made in the schemas pg_catalog and information_schema is in no dump: "
        "move it elsewhere",
    ),
    "subscribed": _Kind(
        code=NoteCode.STANDBY,
        text="subscriptions fill these tables, which are as old as those lag behind their "
        "publishers",
    ),
    "half_copied": _Kind(
        code=NoteCode.STANDBY,
        text="the first copy of these tables from their publisher is not finished: the dump holds "
        "the rows that had come by then",
    ),
    "damage_hidden": _Kind(
        code=NoteCode.NOT_DUMPED,
        text="by these settings the server passes over damaged pages without an error: rows on "
        "such pages are not in the dump, or are damaged in it",
    ),
    "unchecked_keys": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="the triggers that check these foreign keys are switched off on the server, so rows "
        "may break them, and a load, which checks them, may fail: docs/restore.md says how to "
        "load them then; afterwards they are on",
    ),
    "prepared": _Kind(
        code=NoteCode.NOT_DUMPED,
        text="what prepared transactions have changed is not in the dump until they are "
        "committed: COMMIT PREPARED or ROLLBACK PREPARED them",
    ),
    "hidden_subscriptions": _Kind(
        code=NoteCode.UNREADABLE,
        text="subscriptions are not in the dump: only a superuser may read them",
    ),
    "user_mappings": _Kind(
        code=NoteCode.SECRETS_HIDDEN,
        text="user mappings come without options, if they have any: this account may not read "
        "those, passwords among them",
    ),
    "large_objects": _Kind(
        code=NoteCode.LARGE_OBJECTS,
        text="large objects are not in the dump, as tables or schemas are chosen and no column of "
        "theirs is of type oid, or this account may not read all large objects: ask for them with "
        "pg-dump-options: --blobs",
    ),
    "wanting": _Kind(
        code=NoteCode.EXTENSIONS,
        text="the chosen objects need extensions that the dump does not create: CREATE EXTENSION "
        "them before a load",
    ),
    "lacking": _Kind(
        code=NoteCode.NOT_CHOSEN,
        text="the chosen objects need others that are not in the dump: make them before a load "
        "(CREATE SCHEMA for a schema), or choose them, too",
    ),
    "lost_children": _Kind(
        code=NoteCode.NOT_CHOSEN,
        text="partitions and inheriting tables of chosen tables are not in the dump, nor are "
        "their rows: choose their schema, or their parent by the annotation tables",
    ),
    "row_security": _Kind(
        code=NoteCode.ROW_SECURITY,
        text="of tables with row-level security the dump holds only the rows that this account "
        "may see: dump as an account with BYPASSRLS for all of them",
    ),
    "computed": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="materialized views are in the dump without their rows: a load computes them anew",
    ),
    "money": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="values of these columns of type money are written by the locale of their server, and "
        "another one may read other amounts: load them with",
    ),
    "functions": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="a load calls functions that find other objects by the search path",
    ),
    "dictionaries": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="these text search dictionaries read files of the server, which are not in the dump: "
        "put them into the folder tsearch_data of a new server before a load",
    ),
    "libraries": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="these functions are in libraries of the server, which are not in the dump: install "
        "them on a new server before a load",
    ),
    "subscriptions": _Kind(
        code=NoteCode.RESTORE_NEEDS,
        text="subscriptions are in the dump without their connection's state: after a load they "
        "are disabled until ALTER SUBSCRIPTION … ENABLE",
    ),
}


def make_notes(
    surveys: Sequence[Survey], choice: Choice, server: Server, *, is_custom: bool
) -> list[Note]:
    """Make one note of each kind, whose objects are named with their database if there are several.

    Raises SourceRefusedError if a table or schema that is asked for by its name is in none of the
    databases.
    """
    notes = _notes_on_patterns(surveys, choice)
    for name, kind in _KINDS.items():
        source = "subscriptions" if name == "hidden_subscriptions" else name
        if source == "subscriptions" and (name == source) != server.is_superuser:
            continue
        objects = _objects(surveys, source)
        if not any(survey.lists.get(source) for survey in surveys):
            continue
        text = kind.text
        if name == "functions":
            text += f", {_way(is_custom=is_custom)}"
        elif name == "money":
            locales = {item for survey in surveys for item in survey.lists.get("money_as", ())}
            text += f" PGOPTIONS='-c lc_monetary={' or '.join(sorted(locales))}'"
        notes.append(Note(code=kind.code, text=text, objects=objects))
    return notes


def leave_out_idle(surveys: Sequence[Survey], choice: Choice) -> tuple[list[Survey], list[Note]]:
    """Return the databases that have anything of what is chosen, and a note on the others.

    All of them where none has: pg_dump would refuse, and so does `make_notes`.
    """
    tables = len(choice.tables.with_children + choice.tables.alone)
    start = 0 if tables else len(choice.exclude_tables.with_children + choice.exclude_tables.alone)
    end = start + (tables or len(choice.schemas))
    busy = [survey for survey in surveys if any(survey.matched[start:end])]
    if not choice.is_partial or not busy or len(busy) == len(surveys):
        return list(surveys), []
    idle = tuple(survey.database for survey in surveys if survey not in busy)
    text = "databases that hold nothing of the chosen tables or schemas are not in the dump"
    return busy, [Note(code=NoteCode.NOTHING_MATCHED, text=text, objects=idle)]


def _way(*, is_custom: bool) -> str:
    if is_custom:
        return "and pg_restore sets an empty one: docs/restore.md says how to load it with another"
    return "which the dump therefore sets to the schemas that they were found in"


def _objects(surveys: Sequence[Survey], name: str) -> tuple[str, ...]:
    if name == "large_objects":
        return ()
    if len(surveys) == 1:
        return surveys[0].lists.get(name, ())
    return tuple(
        f"{survey.database}.{item}" for survey in surveys for item in survey.lists.get(name, ())
    )


def _notes_on_patterns(surveys: Sequence[Survey], choice: Choice) -> list[Note]:
    patterns, _ = matches(choice)
    fitting = [any(found) for found in zip(*(survey.matched for survey in surveys), strict=True)]
    idle = [pattern for pattern, fits in zip(patterns, fitting, strict=bool(surveys)) if not fits]
    wanted = {
        *(pattern.text for pattern in choice.tables.with_children + choice.tables.alone),
        *(pattern.text for pattern in choice.schemas),
    }
    for pattern in idle:
        if pattern.is_literal and pattern.text in wanted:
            raise SourceRefusedError(
                f"no matching tables or schemas were found for {pattern.text!r}, which is asked "
                "for: correct the annotation, or the search path if the name is without its schema"
            )
    if not idle:
        return []
    text = "names or patterns of the annotations fit nothing"
    objects = tuple(pattern.text for pattern in idle)
    return [Note(code=NoteCode.NOTHING_MATCHED, text=text, objects=objects)]
