"""Sidecars of ClickHouse servers: clickhouse-backup's and chbackup's API over real work.

Neither of the two is to be had from a registry. This is a server of their protocol that freezes,
uploads, downloads and attaches the parts of a real ClickHouse server. What it says and does was
read in their public repositories: Altinity/clickhouse-backup at the tags v2.5.0 to v2.8.0 and at
the commit of August 2026 that precedes v2.8.1, siqueiraa/chbackup at v0.1.0. Not tried with a
released clickhouse-backup or chbackup.

Not established, or left out: embedded backups, object disks, other storages than S3, several
disks, projections, functions, named collections, mutations, rebase and rebalance, schedules of
`watch`, `custom` storage, chbackup's `/api/v1` routes beyond those of operations and the exact
words of its errors, the cache of remote metadata, and what is done side by side: tables and parts
are taken one after the other.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.sidecars.released import ReleasedSidecar, stands_in
from tests.testbed.sidecars.server import Sidecar
from tests.testbed.sidecars.settings import Settings
from tests.testbed.toolchain import processes


@contextlib.contextmanager
def start_sidecar(
    replica: Replica,
    settings: Settings | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
) -> Iterator[Sidecar]:
    """One beside the server, on the server's own address unless `host` is another."""
    settings = settings or Settings()
    make = ReleasedSidecar if stands_in(settings) else Sidecar
    with make(
        replica=replica,
        host=host or replica.host,
        port=port or processes.free_port(),
        settings=settings,
    ) as sidecar:
        yield sidecar


@contextlib.contextmanager
def start_sidecars(
    cluster: Cluster, settings: Settings, *, local: bool = False
) -> Iterator[dict[tuple[int, int], Sidecar]]:
    """One beside each server of a cluster, all on the same port of their servers' addresses.

    They are found by shard and replica. Backups of the shards lie apart: each sidecar's path in
    the bucket ends with its shard, as `S3_PATH` with the macro {shard} has it. `local` ones
    listen on 127.0.0.1, each on a port of its own, and are to be had by their servers' tables.
    """
    port, found = processes.free_port(), {}
    with contextlib.ExitStack() as ending:
        for replica in cluster.replicas:
            remote = settings.remote
            if remote is not None:
                path = f"{remote.path}/shard-{replica.shard}".strip("/")
                remote = dataclasses.replace(remote, path=path)
            own = dataclasses.replace(settings, remote=remote)
            found[replica.shard, replica.replica] = ending.enter_context(
                _beside(replica, own, port, local=local)
            )
        yield found


def _beside(
    replica: Replica, settings: Settings, port: int, *, local: bool
) -> AbstractContextManager[Sidecar]:
    if local:
        return start_sidecar(replica, settings, host="127.0.0.1")
    return start_sidecar(replica, settings, port=port)
