"""Restoring some partitions of a table: out of a copy beside that was loaded whole."""

from collections.abc import Iterator, Sequence

from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.clickhouse.catalog import system_tables
from dumpers.engines.clickhouse.restore.catching_up import wait_for_replicas
from dumpers.engines.clickhouse.restore.loading import Loading
from dumpers.engines.clickhouse.restore.script_runner import Renamer
from dumpers.engines.clickhouse.schema import scripts
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.schema.table_engines import is_replicated
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import identifier, literal, qualified
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError


def check_partitions(loading: Loading) -> None:
    """Raise TargetRefusedError for a partition that the backup has not."""
    for key, asked in loading.wanted.partitions.items():
        found = {
            id_
            for server in loading.target.servers
            for id_ in _partitions(loading, server, loading.wanted.own.table(key))
        }
        missing = [id_ for id_ in asked if id_ not in found]
        if missing:
            raise TargetRefusedError(
                f"the backup has no rows in these partitions of {full_name(*key)}: "
                f"{abbreviate(missing)}; it has {abbreviate(sorted(found))}"
            )


def keep_only(loading: Loading) -> None:
    """Drop all other partitions of the copies."""
    for key, ids in loading.wanted.partitions.items():
        own = loading.wanted.own.table(key)
        for server in _servers(loading, own):
            for id_ in sorted(_partitions(loading, server, own) - {*ids}):
                _alter(loading, server, own, f"DROP PARTITION ID {literal(id_)}")


def move(loading: Loading) -> None:
    """Put the partitions into the live tables: what these have of them is replaced, if any.

    Raises the error with the names of the partitions that are in place already.
    """
    target, wanted = loading.target, loading.wanted
    _make_tables(loading)
    done: list[str] = []
    verb = "REPLACE" if wanted.mode is RestoreMode.OVERWRITE else "ATTACH"
    try:
        for key, ids in wanted.partitions.items():
            own, live = wanted.own.table(key), wanted.live.table(key)
            for server in _servers(loading, own):
                for id_ in ids:
                    what = f"{verb} PARTITION ID {literal(id_)} FROM {qualified(*own)}"
                    _alter(loading, server, live, what)
                    done.append(f"{id_} of {full_name(*live)} on {server.where}")
    except KsnapshotError as error:
        told = f"these partitions are in place: {abbreviate(done)}" if done else "none is in place"
        raise type(error)(f"{error}; {told}") from error
    wait_for_replicas(target, sorted({wanted.live.table(key)[0] for key in wanted.partitions}))


def _make_tables(loading: Loading) -> None:
    """Make the live tables where they are missing."""
    wanted = loading.wanted
    renamer = Renamer(own=wanted.live, references=wanted.live)
    for name in sorted({wanted.live.table(key)[0] for key in wanted.partitions}):
        loading.target.everywhere(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")
    for replica, script in loading.by_server(scripts.TABLES_SCRIPT):
        texts = [
            renamer.rename(statement)[0]
            for statement in script.statements
            if statement.key in wanted.partitions
        ]
        loading.run(replica, script.kind, texts, optional=False)


def _servers(loading: Loading, own: Key) -> Iterator[Server]:
    """The servers on which a partition is moved: of a replicated table, one of each shard."""
    for shard in loading.target.shards:
        first = shard.replicas[0].server
        held = loading.target.held(first, {own[0]}).get(own)
        alone = held is not None and is_replicated(held.engine)
        servers: Sequence[Server] = [first] if alone else [one.server for one in shard.replicas]
        yield from servers


def _partitions(loading: Loading, server: Server, key: Key) -> frozenset[str]:
    return system_tables.partitions(server, *key, loading.target.interrupt)


def _alter(loading: Loading, server: Server, key: Key, what: str) -> None:
    server.run(f"ALTER TABLE {qualified(*key)} {what}", loading.target.interrupt)
