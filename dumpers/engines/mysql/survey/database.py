"""Finding what of a database can be dumped, and noting what is missing or not as it was.

The dump tools are silent about objects that they cannot see: routines, triggers and tables that an
account may not read are left out with status 0, others end the dump. So missing objects are found
before the dump, left out on purpose, and noted.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dumpers.contract.notes import Note
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey import notes as words
from dumpers.engines.mysql.survey.columns import look_at_columns
from dumpers.engines.mysql.survey.events import events
from dumpers.engines.mysql.survey.filters import TableFilter, choose
from dumpers.engines.mysql.survey.probes import Refusal
from dumpers.engines.mysql.survey.readable import (
    broken_views,
    check_folder,
    check_named,
    cut_tables,
    unreadable_tables,
    unresolved_views,
)
from dumpers.engines.mysql.survey.references import (
    Reference,
    foreign_keys,
    keyed_tables,
    needing,
    view_references,
)
from dumpers.engines.mysql.survey.routines import other_collations, routines
from dumpers.engines.mysql.survey.schema import Table, default_settings, sizes, tables
from dumpers.engines.mysql.survey.server.grants import Grants, parse
from dumpers.engines.mysql.survey.server.innodb import InnoDB
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What all databases of a dump have in common.

    `databases` are those of the dump, `others` those that the account sees besides. `histories`
    says whether the tool can dump the history of MariaDB's tables.
    """

    rights: Grants
    innodb: InnoDB
    databases: Collection[str]
    others: Collection[str]
    histories: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One database as it will be dumped, and the tool's options for it.

    `tables` are those that are dumped, with `sizes` in bytes as far as they are known, `left_out`
    the names of the others; they are `all_tables` unless some were asked for by name. `bytewise`:
    strings are to be dumped as bytes. `opening` is SQL that every part of the dump needs before
    anything else, `defaults` SQL that gives a database what this one has. `references` is what
    views refer to, `sequences_of` names the databases whose sequences defaults draw from.
    """

    database: str
    options: tuple[str, ...]
    tables: tuple[Table, ...]
    sizes: Mapping[str, int]
    left_out: tuple[str, ...]
    all_tables: bool
    bytewise: bool
    opening: str
    defaults: str
    references: Mapping[str, frozenset[Reference]]
    sequences_of: frozenset[str]
    notes: tuple[Note, ...]

    @property
    def bases(self) -> tuple[Table, ...]:
        """The tables that hold rows: neither views nor sequences."""
        return tuple(table for table in self.tables if not table.is_view and not table.is_sequence)

    @property
    def estimate(self) -> int:
        """Expected size in bytes, before compression."""
        return sum(self.sizes.values())


def grants(server: Server, *, interrupt: Interrupt) -> Grants:
    """Read the account's rights."""
    return parse(row[0] for row in server.raw("SHOW GRANTS", interrupt=interrupt))


def survey(
    server: Server,
    database: str,
    *,
    table_filter: TableFilter,
    scope: Scope,
    interrupt: Interrupt,
) -> Survey:
    """Find what can be dumped of a database.

    Raises the server's refusal if it, or a table that was asked for, is not there or unreadable.
    """
    found = tables(server, database, interrupt=interrupt)
    if not found:
        check_folder(server, database, interrupt=interrupt)
    chosen, notes = choose(server, database, table_filter, found)
    hidden = {
        table.name: None
        for table in chosen
        if table.is_view and not scope.rights.may("SHOW VIEW", database, table.name)
    }
    notes += words.hidden_views(database, [*hidden])
    chosen = [table for table in chosen if table.name not in hidden]
    known = scope.innodb.sizes.get(database, {})
    sized = sizes(server, database, found, chosen, known=known, interrupt=interrupt)
    refused = _unreadable(server, database, chosen, sized, scope, interrupt=interrupt)
    if table_filter.tables:
        check_named(server, database, refused)
    views = frozenset(table.name for table in chosen if table.is_view)
    notes += words.unreadable(database, refused, views)
    chosen = [table for table in chosen if table.name not in refused]
    views -= refused.keys()
    references = view_references(server, database, views, interrupt=interrupt) if views else {}
    incomplete = _incomplete_views(database, found, chosen, references)
    notes += words.incomplete_views(database, incomplete, are_kept=bool(table_filter.tables))
    if not table_filter.tables:
        chosen = [table for table in chosen if table.name not in incomplete]
    elif not chosen:
        # Without any name the tool would take all tables.
        raise server.errors.refused(
            f"nothing is left of the tables that were asked for in the database {database!r}"
        )
    kept = {table.name: table for table in chosen}
    columns = look_at_columns(
        server,
        database,
        frozenset(name for name, table in kept.items() if not table.is_view),
        interrupt=interrupt,
    )
    options, said = _programs(server, database, scope.rights, interrupt=interrupt)
    keyed = keyed_tables(database, chosen, scope.innodb.references, scope.databases)
    keys = foreign_keys(server, database, keyed, interrupt=interrupt)
    loose_keys = [key for key in keys if not key.standard]
    defaults, lost = default_settings(server, database, interrupt=interrupt)
    notes += [
        *columns.notes,
        *said,
        *lost,
        *words.on_rights(scope.rights, database),
        *words.on_engines(server.flavour, database, chosen, histories=scope.histories),
        *words.on_references(database, kept.keys(), references, keys, scope),
        *words.on_loose_keys(database, loose_keys),
    ]
    if server.flavour is Flavour.MARIADB:
        left = [table for table in chosen if table.is_view]
        unresolved = unresolved_views(server, database, left, interrupt=interrupt)
        notes += words.unresolved_views(database, unresolved)
    if scope.histories and any(table.is_versioned for table in chosen):
        options.append("--dump-history")
    return Survey(
        database=database,
        options=tuple(options),
        tables=tuple(chosen),
        sizes={name: size for name, size in sized.items() if name in kept},
        left_out=tuple(table.name for table in found if table.name not in kept),
        all_tables=not table_filter.tables,
        bytewise=columns.bytewise,
        opening=_opening(bytewise=columns.bytewise, loose_keys=bool(loose_keys)),
        defaults=defaults,
        references={view: needs for view, needs in references.items() if view in kept},
        sequences_of=columns.sequences_of,
        notes=tuple(notes),
    )


def _unreadable(
    server: Server,
    database: str,
    chosen: Sequence[Table],
    sized: Mapping[str, int],
    scope: Scope,
    *,
    interrupt: Interrupt,
) -> Mapping[str, Refusal]:
    views = [table for table in chosen if table.is_view]
    bases = [table for table in chosen if not table.is_view]
    refused = broken_views(server, database, views, interrupt=interrupt) | unreadable_tables(
        server,
        database,
        bases,
        sized,
        sound=scope.innodb.sizes.get(database, {}),
        may_read=lambda table: scope.rights.may("SELECT", database, table.name),
        interrupt=interrupt,
    )
    whole = [table for table in bases if table.name not in refused]
    return refused | cut_tables(server, database, whole, interrupt=interrupt)


def _incomplete_views(
    database: str,
    found: Sequence[Table],
    chosen: Sequence[Table],
    references: Mapping[str, frozenset[Reference]],
) -> Mapping[str, str]:
    """The chosen views that cannot be made without what is not chosen, each with such a thing."""
    names = frozenset(table.name for table in chosen)
    lacking = {(database, table.name) for table in found if table.name not in names}
    views = {(database, view): needs for view, needs in references.items() if view in names}
    return {view: lack for (_, view), (_, lack) in needing(lacking, views).items()}


def _programs(
    server: Server, database: str, rights: Grants, *, interrupt: Interrupt
) -> tuple[list[str], list[Note]]:
    """The tool's options for triggers, routines and events, with notes on missing ones."""
    of_routines = routines(server, database, rights, interrupt=interrupt)
    of_events = events(server, database, rights, interrupt=interrupt)
    options = ["--triggers"]
    options.append("--routines" if of_routines.are_dumped else "--skip-routines")
    options.append("--events" if of_events.are_dumped else "--skip-events")
    kinds = ["trigger"]
    kinds += ["routine"] if of_routines.are_dumped else []
    kinds += ["event"] if of_events.are_dumped else []
    made_otherwise = other_collations(server, database, kinds, interrupt=interrupt)
    return options, [
        *of_routines.notes,
        *of_events.notes,
        *words.other_collations(made_otherwise),
    ]


def _opening(*, bytewise: bool, loose_keys: bool) -> str:
    lines = []
    if bytewise:
        # The tool writes no character set then: that of its strings is none, that of all else this.
        lines.append("/*!40101 SET NAMES utf8mb4 */;\n")
    if loose_keys:
        lines.append("/*!80400 SET SESSION restrict_fk_on_non_standard_key = OFF */;\n")
    return "".join(lines)
