"""What a restore is asked for, held against what the backup has, and under which names it goes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.filters import TableFilter, read_partitions
from dumpers.engines.clickhouse.schema.names.naming import Key, Naming, full_name, read_full_name
from dumpers.engines.clickhouse.stored.contents import Contents
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import TargetRefusedError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The chosen part of a backup.

    `own` names where each table is loaded, `live` where it is in the end; they differ where tables
    are loaded beside first. `partitions` are those that are asked for, by table in the backup.
    """

    contents: Contents
    request: RestoreRequest
    keys: frozenset[Key]
    databases: tuple[str, ...]
    partitions: Mapping[Key, tuple[str, ...]]
    own: Naming
    live: Naming

    @property
    def mode(self) -> RestoreMode:
        """What happens with what the target holds."""
        return self.request.mode

    @property
    def is_staged(self) -> bool:
        """Whether tables are loaded under other names than they get in the end."""
        return self.mode in {RestoreMode.SWAP, RestoreMode.OVERWRITE} or (
            self.mode is RestoreMode.EMPTY and bool(self.partitions)
        )

    @property
    def is_by_table(self) -> bool:
        """Whether tables are restored one by one, not as databases."""
        named = any(len(_known_as(self.contents, old)) > 1 for old in self.request.names or ())
        return bool(self.request.tables or self.partitions or named)

    @property
    def creates(self) -> tuple[tuple[str, str], ...]:
        """Full names in the backup and in the target: of databases, or of tables."""
        naming = self.live if self.is_staged else self.own
        if not self.is_by_table:
            return tuple(
                (full_name(old), full_name(naming.database(old))) for old in self.databases
            )
        return tuple((full_name(*key), full_name(*naming.table(key))) for key in sorted(self.keys))

    @property
    def data(self) -> tuple[Key, ...]:
        """The chosen tables that have rows in the backup, or could have, but for views."""
        return tuple(
            key for key in sorted(self.keys & self.contents.rows.keys()) if not self._is_view(key)
        )

    @property
    def views_with_rows(self) -> tuple[Key, ...]:
        """The chosen materialized views that keep their rows themselves."""
        return tuple(
            key for key in sorted(self.keys & self.contents.rows.keys()) if self._is_view(key)
        )

    @property
    def size(self) -> int:
        """The bytes before compression that will be read."""
        return sum(
            piece.size
            for place, piece in enumerate(self.contents.pieces)
            if place in self.contents.scripts
            or (
                not piece.metadata.get("redundant")
                and any(
                    (table["database"], table["table"]) in self.keys
                    for table in piece.metadata["tables"]
                )
            )
        )

    def _is_view(self, key: Key) -> bool:
        made = self.contents.made.get(key)
        return made is not None and made.is_view


def choose(contents: Contents, request: RestoreRequest, database: str) -> Wanted:
    """Hold a request against a backup; `database` is the one that the target's connection names.

    Raises TargetRefusedError for what the backup has not, and ConfigurationError for what is
    written wrong.
    """
    partitions = read_partitions("the restore's partitions", request.partitions)
    if partitions and (request.tables or request.databases):
        raise TargetRefusedError(
            "partitions name their tables themselves: ask for partitions, or for tables and "
            "databases, not for both"
        )
    if partitions and request.mode is RestoreMode.SWAP:
        raise TargetRefusedError(
            "partitions cannot change places with those of a table that stays: replace them "
            "(overwrite), or load them beside"
        )
    table_filter = TableFilter(databases=request.databases, tables=request.tables)
    _require("databases", request.databases, contents.databases, fnmatchcase)
    _require(
        "tables",
        request.tables,
        contents.keys,
        lambda key, pattern: TableFilter(tables=(pattern,)).has_table(*key),
    )
    _require("tables", [full_name(*key) for key in partitions], contents.rows, _is_named)
    keys = frozenset(
        key
        for key in contents.keys
        if (key in partitions if partitions else table_filter.has_table(*key))
    )
    holding = {database_ for database_, _ in keys}
    databases = tuple(
        name
        for name in contents.databases
        if name in holding or (not partitions and table_filter.names_database(name))
    )
    live = _only(_live_names(contents, request, databases, database), keys, databases)
    beside = request.mode is not RestoreMode.EMPTY or bool(partitions)
    own = _beside(contents, request, live) if beside else live
    return Wanted(
        contents=contents,
        request=request,
        keys=keys,
        databases=databases,
        partitions=partitions,
        own=own,
        live=live,
    )


def _live_names(
    contents: Contents, request: RestoreRequest, chosen: Sequence[str], database: str
) -> Naming:
    """New names as they are asked for; a single database goes into the target's."""
    databases = {name: name for name in contents.databases}
    if len(chosen) == 1 and database:
        databases[chosen[0]] = database
    moved: dict[Key, Key] = {}
    for old, new in (request.names or {}).items():
        known = _known_as(contents, old)
        if not known:
            raise TargetRefusedError(
                f"the backup has neither a database nor a table {old!r}, which is to be called "
                f"{new!r}"
            )
        if len(known) == 1:
            databases[known[0]] = new
        else:
            moved[known[0], known[1]] = _table_of(new, databases.get(known[0], known[0]))
    tables = {key: moved.get(key, (databases.get(key[0], key[0]), key[1])) for key in contents.keys}
    if len({*tables.values()}) < len(tables):
        twice = sorted({new for new in tables.values() if [*tables.values()].count(new) > 1})
        raise TargetRefusedError(
            "several tables would get the same name: "
            f"{abbreviate([full_name(*key) for key in twice])}"
        )
    return Naming(databases=databases, tables=tables)


def _beside(contents: Contents, request: RestoreRequest, live: Naming) -> Naming:
    """Names beside the live ones: those that were asked for, if nothing is replaced, or others."""
    given = {name: _known_as(contents, name) for name in request.names or ()}
    asked = {*given.values()} if request.mode is RestoreMode.BESIDE else set()
    databases = {
        old: new if (old,) in asked else f"{new}{request.suffix}"
        for old, new in live.databases.items()
    }
    tables = {
        key: new if key in asked or (key[0],) in asked else (f"{new[0]}{request.suffix}", new[1])
        for key, new in live.tables.items()
    }
    return Naming(databases=databases, tables=tables)


def _only(naming: Naming, keys: Collection[Key], databases: Collection[str]) -> Naming:
    """The naming of what is chosen; whatever is not keeps its name."""
    return Naming(
        databases={old: new for old, new in naming.databases.items() if old in databases},
        tables={old: new for old, new in naming.tables.items() if old in keys},
    )


def _known_as(contents: Contents, text: str) -> tuple[str, ...]:
    """The database or table that a name means; empty if the backup has none of it."""
    if text in contents.databases:
        return (text,)
    for key in contents.keys:
        if text in {".".join(key), full_name(*key)}:
            return key
    named = read_full_name(text)
    return named if len(named) == 1 and named[0] in contents.databases else ()


def _table_of(text: str, database: str) -> Key:
    """A table's new name, which may go without its database."""
    named = read_full_name(text)
    return (database, named[0]) if len(named) == 1 else (named[0], named[1])


def _is_named(key: Key, name: str) -> bool:
    return full_name(*key) == name


def _require(
    what: str, patterns: Iterable[str], held: Iterable[T], fits: Callable[[T, str], bool]
) -> None:
    held = list(held)
    missing = [text for text in patterns if not any(fits(one, text) for one in held)]
    if missing:
        raise TargetRefusedError(
            f"the backup has not these {what} that were asked for: {abbreviate(missing)}"
        )
