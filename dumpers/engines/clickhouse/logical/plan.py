"""Planning which tables are read, and from which server of the cluster each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dumpers.contract.notes import Note, NoteCode
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.catalog.system_tables import Path
from dumpers.engines.clickhouse.cluster.replicas import Replica, ShardReplicas
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.runtime.errors import SourceFailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReplica:
    """A table as one server has it."""

    replica: Replica
    backup_table: BackupTable


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRead:
    """The rows of one table that are stored together.

    `label` is the shard's, or a replica's where replicas differ. `copies` hold the same rows, the
    best one first. `redundant`: another item holds the same rows, and a restore skips this one.
    """

    label: str
    shard: int
    copies: tuple[TableReplica, ...]
    partitions: tuple[str, ...] = ()
    redundant: bool = False

    @property
    def backup_table(self) -> BackupTable:
        """The table, as the first copy has it."""
        return self.copies[0].backup_table

    @property
    def where(self) -> str:
        """Table and place, for messages."""
        return f"{self.backup_table.table.full_name} of {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All reads, in no order, and notes.

    `borrowed` has by their numbers the shards that share tables with others, and the names of those
    of these tables which are read elsewhere.
    """

    items: tuple[TableRead, ...]
    notes: tuple[Note, ...]
    borrowed: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def of(self, shard: int) -> "Plan":
        """The reads of one shard alone."""
        return replace(self, items=tuple(item for item in self.items if item.shard == shard))


def plan(
    shards: Sequence[ShardReplicas],
    catalogs: Mapping[str, ServerCatalog],
    *,
    partitions: Mapping[tuple[str, str], tuple[str, ...]],
    all_replicas: bool,
) -> Plan:
    """Plan to read replicated tables once a shard, or from all replicas; others from every server.

    `catalogs` are those of each replica, by its label, with the tables that are to be dumped.
    Raises SourceFailedError where a replica that does not answer may hold rows that no other has.
    """
    spread, unsure = _spread(catalogs.values())
    seen: set[tuple[str, str, str]] = set()
    found, borrowed = list[TableRead](), dict[int, frozenset[str]]()
    for shard in shards:
        for key, copies in sorted(_by_table(shard, catalogs).items()):
            own = [copy for copy in copies if not copy.backup_table.is_replicated]
            if own and shard.missing:
                raise SourceFailedError(
                    f"{', '.join(shard.missing)} of shard {shard.number} does not answer, and "
                    f"{'.'.join(key)} is not replicated: it may have other rows there"
                )
            chosen = partitions.get(key, ())
            for copy in own:
                label = copy.replica.label if len(shard.replicas) > 1 else f"s{shard.number}"
                found.append(
                    TableRead(label=label, shard=shard.number, copies=(copy,), partitions=chosen)
                )
            by_path = _by_path(copies, catalogs)
            if shard.missing and not _covers(shard, by_path, catalogs):
                raise SourceFailedError(
                    f"{', '.join(shard.missing)} of shard {shard.number} does not answer, and may "
                    f"be no replica of those that have {'.'.join(key)}: it may have other rows"
                )
            for path, same in by_path.items():
                if (*key, path) in seen:
                    held = borrowed.get(shard.number, frozenset())
                    borrowed[shard.number] = held | {".".join(key)}
                    continue
                if path and (*key, path) in spread:
                    seen.add((*key, path))
                # Those that share no path have other rows, which go to other objects.
                label = f"s{shard.number}" if len(by_path) == 1 else same[0].replica.label
                found += _replicated(label, shard, same, chosen, every=all_replicas)
    shared = frozenset[str]().union(*borrowed.values())
    return Plan(items=tuple(found), notes=_notes(shared, unsure), borrowed=borrowed)


def _notes(shared: Iterable[str], unsure: Iterable[tuple[str, str, str]]) -> tuple[Note, ...]:
    doubtful = {f"{database}.{table}" for database, table, _ in unsure}
    found = (
        Note(
            code=NoteCode.RESTORE_NEEDS,
            text="these tables are replicated over several shards, and were read from one",
            objects=tuple(sorted(shared)),
        ),
        Note(
            code=NoteCode.NOT_CONSISTENT,
            text="these tables have the same path in Keeper in several shards, but not all "
            "replicas are alive there: they were read from each, and may be there twice after a "
            "restore",
            objects=tuple(sorted(doubtful)),
        ),
    )
    return tuple(note for note in found if note.objects)


def _by_table(
    shard: ShardReplicas, catalogs: Mapping[str, ServerCatalog]
) -> dict[tuple[str, str], list[TableReplica]]:
    """The tables of a shard that have rows, best copy first."""
    found: dict[tuple[str, str], list[TableReplica]] = {}
    for replica in shard.replicas:
        for backup_table in catalogs[replica.label].tables:
            if backup_table.has_data:
                key = backup_table.table.key
                found.setdefault(key, []).append(
                    TableReplica(replica=replica, backup_table=backup_table)
                )
    return found


def _by_path(
    copies: Iterable[TableReplica], catalogs: Mapping[str, ServerCatalog]
) -> dict[str, tuple[TableReplica, ...]]:
    """Replicated copies by the path that they share: only then they have the same rows."""
    found: dict[str, list[TableReplica]] = {}
    for copy in copies:
        if copy.backup_table.is_replicated:
            path = _path(catalogs[copy.replica.label], copy.backup_table)
            found.setdefault(path, []).append(copy)
    return {path: tuple(same) for path, same in found.items()}


def _path(catalog: ServerCatalog, backup_table: BackupTable) -> str:
    at = catalog.path(backup_table)
    # Tables that the server keeps in shared storage have no path of their own.
    return at.path if at else ""


def _spread(
    catalogs: Iterable[ServerCatalog],
) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """Tables and paths by which servers of several shards are replicas of each other, or may be.

    The same path means that only within one Keeper, which knows no two replicas by one name: there,
    all of them are known to be alive.
    """
    found: dict[tuple[str, str, str], list[tuple[int, Path]]] = {}
    for catalog in catalogs:
        for backup_table in catalog.tables:
            at = catalog.path(backup_table)
            if at is not None and backup_table.has_data:
                key = (backup_table.table.database, backup_table.table.name, at.path)
                found.setdefault(key, []).append((catalog.replica.node.shard, at))
    several = {
        key: [at for _, at in listed]
        for key, listed in found.items()
        if len({shard for shard, _ in listed}) > 1
        and len({at.replica for _, at in listed}) == len(listed)
    }
    sure = {key for key, ats in several.items() if all(at.active >= len(ats) for at in ats)}
    # Where all of them know fewer, each shard has a Keeper of its own.
    apart = {key for key, ats in several.items() if all(0 < at.total < len(ats) for at in ats)}
    return sure, several.keys() - sure - apart


def _covers(
    shard: ShardReplicas,
    by_path: Mapping[str, Sequence[TableReplica]],
    catalogs: Mapping[str, ServerCatalog],
) -> bool:
    """Whether the servers of a shard that do not answer have no rows that others have not.

    So it is where they are replicas of the one path that the others share.
    """
    if len(by_path) > 1:
        return False
    for copies in by_path.values():
        backup_table, replica = copies[0].backup_table, copies[0].replica
        at = catalogs[replica.label].path(backup_table)
        # Without its Keeper, a server knows of no others.
        if at is not None and 0 < at.total < len(shard.replicas) + len(shard.missing):
            return False
    return True


def _replicated(
    label: str,
    shard: ShardReplicas,
    same: tuple[TableReplica, ...],
    partitions: tuple[str, ...],
    *,
    every: bool,
) -> Iterator[TableRead]:
    if not every:
        yield TableRead(label=label, shard=shard.number, copies=same, partitions=partitions)
        return
    for number, copy in enumerate(same):
        yield TableRead(
            label=copy.replica.label,
            shard=shard.number,
            copies=(copy,),
            partitions=partitions,
            redundant=number > 0,
        )
