"""What a restore will do to its target, checked and told before anything is changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.restore.checks import check_live_databases, check_servers
from dumpers.engines.clickhouse.restore.in_the_way import check_free
from dumpers.engines.clickhouse.restore.loading import ACCESS
from dumpers.engines.clickhouse.restore.target import EXCHANGING, Target, find_target
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.stored.beside import why_not_beside
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.clickhouse.stored.wanted import Wanted, choose
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import RestorePlan, StoredDump
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A target and what is to be loaded into it, held against each other."""

    target: Target
    wanted: Wanted
    notes: tuple[str, ...]


def prepare(
    connection: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> Prepared:
    """Check all that can be known beforehand; raises as Engine.plan_restore does."""
    wanted = choose(read_contents(pieces), request, connection.database)
    if wanted.mode is RestoreMode.SWAP and wanted.views_with_rows:
        raise TargetRefusedError(
            "these materialized views keep their rows themselves, and cannot change places: "
            f"{abbreviate([full_name(*key) for key in wanted.views_with_rows])}: load beside, "
            "overwrite, or choose tables without them"
        )
    target = find_target(connection, interrupt)
    notes = check_servers(target, wanted)
    if wanted.is_staged:
        check_live_databases(target, wanted)
    check_free(target, wanted)
    return Prepared(target=target, wanted=wanted, notes=tuple(notes))


def plan_restore(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest,
) -> RestorePlan:
    """See Engine.plan_restore."""
    prepared = prepare(target, pieces, interrupt, request)
    wanted, to = prepared.wanted, prepared.target
    return RestorePlan(
        server_version=f"ClickHouse {to.replicas[0].release}",
        actions=tuple(_actions(to, wanted)),
        creates=wanted.creates,
        size=wanted.size,
        notes=(*prepared.notes, *_notes(to, wanted)),
    )


def not_in_backup(target: Target, wanted: Wanted) -> Sequence[Key]:
    """Tables of the live databases that the backup has not, where whole databases are restored."""
    if wanted.is_by_table:
        return ()
    live = {wanted.live.database(name) for name in wanted.databases}
    known = {wanted.live.table(key) for key in wanted.keys}
    held = {key for server in target.servers for key in target.held(server, live)}
    return sorted(held - known)


def _actions(target: Target, wanted: Wanted) -> Iterator[str]:
    servers = f"{len(target.servers)} server{'s' * (len(target.servers) > 1)}"
    own = sorted({wanted.own.table(key)[0] for key in wanted.keys})
    data = abbreviate([full_name(*wanted.own.table(key)) for key in wanted.data])
    live = abbreviate([full_name(*wanted.live.table(key)) for key in wanted.data])
    others = len(wanted.keys) - len(wanted.data)
    yield (
        f"create what is missing of the databases {abbreviate([full_name(name) for name in own])} "
        f"on {servers}"
    )
    yield (
        f"load {len(wanted.data)} tables into {len(target.shards)} "
        f"shard{'s' * (len(target.shards) > 1)}: {data}"
    )
    yield "wait until all replicas have these rows"
    if wanted.partitions:
        ids = "; ".join(
            f"{full_name(*wanted.live.table(key))}: {', '.join(ids)}"
            for key, ids in wanted.partitions.items()
        )
        if wanted.is_staged:
            how = "replace" if wanted.mode is RestoreMode.OVERWRITE else "add"
            yield f"{how} these partitions: {ids}"
            yield "drop what was loaded beside"
        else:
            yield f"drop all partitions of the copies but {ids}"
        return
    if not wanted.is_staged:
        if others:
            yield f"create {others} views, dictionaries and tables without rows"
        return
    yield from _exchange(target, wanted, live)
    replacing = wanted.mode is RestoreMode.OVERWRITE
    if others:
        yield (
            f"create those of {others} views, dictionaries and tables without rows that are missing"
            + (", and replace those that differ" if replacing else "")
        )
    for key in wanted.views_with_rows:
        yield (
            f"drop the view {full_name(*wanted.live.table(key))}, create it anew and copy its rows "
            "into it"
        )
    yield (
        f"drop what was replaced, with {abbreviate([full_name(name) for name in own])}"
        if replacing
        else f"keep what was replaced in {abbreviate([full_name(name) for name in own])}"
    )


def _exchange(target: Target, wanted: Wanted, live: str) -> Iterator[str]:
    names = {wanted.live.table(key)[0] for key in wanted.data}
    engines = {
        engine
        for server in target.servers
        for name, engine in target.engines(server).items()
        if name in names
    }
    yield (
        f"let {live} change places with what was loaded, table by table and server by server, for "
        "nobody without one or the other"
        if engines <= {EXCHANGING}
        else f"rename {live} away and what was loaded into their places, table by table and server "
        "by server: there is an instant without each"
    )


def _notes(target: Target, wanted: Wanted) -> Iterator[str]:
    for key in sorted(wanted.keys):
        statement = wanted.contents.made.get(key)
        if statement is None or wanted.mode is not RestoreMode.BESIDE:
            continue
        why = why_not_beside(statement, wanted)
        if why:
            yield f"{full_name(*key)} is not created beside: {why}"
    kinds = {script.kind for script in wanted.contents.scripts.values()}
    if ACCESS in kinds and not wanted.request.globals:
        yield "accounts, roles and policies of the backup are not restored: ask for globals"
    if scripts.FOREIGN_DATABASES_SCRIPT in kinds and wanted.mode is not RestoreMode.EMPTY:
        yield "databases that show another system's tables stay as they are"
    if wanted.is_staged:
        left = not_in_backup(target, wanted)
        if left:
            yield (
                "these are not in the backup, which may have left them out, and stay as they are: "
                f"{abbreviate([full_name(*key) for key in left])}"
            )
