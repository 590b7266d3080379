"""The notes on a database in words: what is not in its dump, why, and what to do about it; pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.probes import Refusal
from dumpers.engines.mysql.survey.readable import is_for_want_of_a_right
from dumpers.engines.mysql.survey.references import ForeignKey, Reference
from dumpers.engines.mysql.survey.schema import ELSEWHERE, MERGED, SYSTEM_DATABASES, Table
from dumpers.engines.mysql.survey.server.grants import Grants

if TYPE_CHECKING:
    from dumpers.engines.mysql.survey.database import Scope


def merged(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Make one note of those that say the same of different objects."""
    objects: dict[tuple[NoteCode, str], dict[str, None]] = {}
    for note in notes:
        objects.setdefault((note.code, note.text), {}).update(dict.fromkeys(note.objects))
    return tuple(
        Note(code=code, text=text, objects=tuple(listed))
        for (code, text), listed in objects.items()
    )


def hidden_databases(rights: Grants) -> list[Note]:
    """Databases that the account may not see, where all are asked for."""
    if rights.may("SHOW DATABASES", "*") or rights.may("SELECT", "*"):
        return []
    text = (
        "databases that this account may not see are NOT in this dump, if there are any: grant it "
        "SHOW DATABASES on *.* to be told of them, or name those that are to be dumped"
    )
    return [Note(code=NoteCode.UNREADABLE, text=text)]


def hidden_views(database: str, views: Sequence[str]) -> list[Note]:
    """Views that the account may not show."""
    text = "these views are NOT in this dump, as this account may not show them: grant it SHOW VIEW"
    return _about(NoteCode.UNREADABLE, text, database, views)


def unreadable(database: str, refused: Mapping[str, Refusal], views: Collection[str]) -> list[Note]:
    """Tables and views that the server, or this account, cannot read."""
    denied = [name for name, refusal in refused.items() if is_for_want_of_a_right(refusal)]
    broken = [name for name in refused if name in views and name not in denied]
    rest = [name for name in refused if name not in {*denied, *broken}]
    return [
        *_about(
            NoteCode.UNREADABLE,
            "these tables or views are NOT in this dump, as this account may not read them: grant "
            "it SELECT on them",
            database,
            denied,
        ),
        *_about(
            NoteCode.BROKEN_VIEWS,
            "these views are NOT in this dump, as the server itself cannot evaluate them (they use "
            "what is gone or may no longer be used): repair or drop them, SHOW CREATE VIEW tells "
            "what they were",
            database,
            broken,
        ),
        *_about(
            NoteCode.UNREADABLE,
            "these tables are NOT in this dump, as the server cannot open them (see its own words "
            "by SELECT * FROM the table): repair or drop them",
            database,
            rest,
        ),
    ]


def incomplete_views(database: str, views: Mapping[str, str], *, are_kept: bool) -> list[Note]:
    """Views that need what is not in the dump."""
    text = (
        "these views need tables or views that were not chosen: they load only where those are"
        if are_kept
        else "these views are NOT in this dump, as they need tables or views that are not in it, "
        "and a server makes no view without them"
    )
    return _about(NoteCode.NOT_CHOSEN, text, database, list(views))


def unresolved_views(database: str, views: Mapping[str, Refusal]) -> list[Note]:
    """Views of MariaDB whose definer is gone or has too few rights."""
    text = (
        "the accounts that these views run as are gone or may not read what the views do, so the "
        "server writes this database's name into them: load them under that name"
    )
    return _about(NoteCode.RESTORE_NEEDS, text, database, list(views))


def other_collations(names: Sequence[str]) -> list[Note]:
    """Programs that were made under another default collation than the database has now."""
    if not names:
        return []
    text = (
        "these routines, triggers or events were made while their database had another default "
        "collation, which the dump sets for them by the database's name: load it under that name"
    )
    return [Note(code=NoteCode.RESTORE_NEEDS, text=text, objects=tuple(names))]


def on_rights(rights: Grants, database: str) -> list[Note]:
    """What the account may not see, so that nobody can say whether it is there."""
    notes = []
    if not rights.may("SELECT", database):
        notes.append(
            Note(
                code=NoteCode.UNREADABLE,
                text="tables that this account may not see are NOT in this dump, if there are any; "
                "grant it SELECT on all of these databases",
                objects=(database,),
            )
        )
    if not rights.may("TRIGGER", database):
        notes.append(
            Note(
                code=NoteCode.UNREADABLE,
                text="triggers of tables on which this account has not the right TRIGGER are NOT "
                "in this dump, if there are any; grant it TRIGGER on these databases",
                objects=(database,),
            )
        )
    return notes


def on_engines(
    flavour: Flavour, database: str, chosen: Sequence[Table], *, histories: bool
) -> list[Note]:
    """What the storage engines of the chosen tables mean for a dump."""
    tables = [table for table in chosen if not table.is_view]
    far = [table for table in tables if table.engine.upper() in ELSEWHERE[flavour]]
    joined = [table for table in tables if table.engine.upper() in MERGED]
    # A BLACKHOLE keeps nothing that could be inconsistent.
    others = {*ELSEWHERE[flavour], *MERGED, "", "BLACKHOLE"}
    loose = [
        table for table in tables if not table.transactional and table.engine.upper() not in others
    ]
    versioned = [] if histories else [table.name for table in tables if table.is_versioned]
    return [
        *_about(
            NoteCode.FOREIGN_TABLES,
            "the rows of these tables are NOT in this dump, as they lie elsewhere, where their "
            "storage engine finds them: back that up, too",
            database,
            [table.name for table in far],
        ),
        *_about(
            NoteCode.NOT_DUMPED,
            "these tables have no rows of their own: the rows are in the tables that they join, "
            "and in this dump only with those",
            database,
            [table.name for table in joined],
        ),
        *_about(
            NoteCode.NOT_CONSISTENT,
            "these tables are NOT consistent with the others, as their storage engine has no "
            "transactions: rows written while the dump ran may or may not be in it",
            database,
            [table.name for table in loose],
        ),
        *_about(
            NoteCode.NOT_DUMPED,
            "the history of these tables is NOT in this dump, only their rows of now: it takes "
            "server and dump tool of MariaDB 10.11 or newer, and no --as-of",
            database,
            versioned,
        ),
    ]


def on_references(
    database: str,
    kept: Collection[str],
    references: Mapping[str, frozenset[Reference]],
    keys: Sequence[ForeignKey],
    scope: "Scope",
) -> list[Note]:
    """Views and foreign keys that need what is in no part of the dump."""
    others = frozenset(scope.others) - SYSTEM_DATABASES
    abroad = [
        view
        for view, needs in references.items()
        if view in kept and any(schema in others for schema, _ in needs)
    ]
    keyed = [
        f"{key.table}.{key.name}"
        for key in keys
        if key.refers_to[0] not in scope.databases
        or (key.refers_to[0] == database and key.refers_to[1] not in kept)
    ]
    return [
        *_about(
            NoteCode.NOT_CHOSEN,
            "these views need other databases, which are not in this dump: they load only where "
            "those are",
            database,
            abroad,
        ),
        *_about(
            NoteCode.NOT_CHOSEN,
            "these foreign keys refer to tables that are not in this dump: it loads without them, "
            "but rows can then not be written",
            database,
            keyed,
        ),
    ]


def on_loose_keys(database: str, keys: Sequence[ForeignKey]) -> list[Note]:
    """Foreign keys that MySQL 8.4 refuses by default."""
    text = (
        "these foreign keys refer to keys that are not unique: the dump switches "
        "restrict_fk_on_non_standard_key off for its session, without which MySQL 8.4 and newer "
        "refuse them"
    )
    return _about(
        NoteCode.RESTORE_NEEDS, text, database, [f"{key.table}.{key.name}" for key in keys]
    )


def _about(code: NoteCode, text: str, database: str, names: Sequence[str]) -> list[Note]:
    if not names:
        return []
    return [Note(code=code, text=text, objects=tuple(f"{database}.{name}" for name in names))]
