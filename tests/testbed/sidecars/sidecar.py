"""Sidecars of ClickHouse servers: clickhouse-backup's and chbackup's API over real work.

Neither of the two is to be had from a registry. This is a server of their protocol that freezes,
uploads, downloads and attaches the parts of a real ClickHouse server. What it says and does was
read in their public repositories: Altinity/clickhouse-backup at the tags v2.5.0 to v2.8.0 and at
the commit of August 2026 that precedes v2.8.1, siqueiraa/chbackup at v0.1.0. Not tried with a
released clickhouse-backup or chbackup.

What a client may not expect of clickhouse-backup, and what each was read from:
- nothing found is an empty body with 200, an unknown operation too, and so is the list of a bucket
  that does not answer (`sendJSONEachRow`, `BackupList`);
- busy is 423 on the routes but 500 on `/backup/actions`; a list or a watch that is under way makes
  it busy, too; `create_remote` is a route from v2.6.30 on only, and its id leads to its row from
  v2.6.40 on (`server.go` of these tags);
- with resumable state, which is the default, a name that is taken is written over, but while the
  local backup is there, its tables stay as the first upload told them, and new parts are lost
  (`uploadTableMetadataRegular`); without it the create that fails removes the local backup that
  had the name (`CreateBackup`, `Upload`);
- a restarted process goes on with uploads by itself, in a row without an id, and does again those
  that had ended well while their local backup is there (`ResumeOperationsAfterRestart`);
- `/restart` calls all rows cancelled, also those that had succeeded (`CancelAll`);
- a broken base is taken for an increment, which then cannot be downloaded (`downloadDiffParts`);
- before v2.8.1 a base is deleted whatever requires it; `restore_remote` takes the local backup
  that is there; parts are attached on every replica that is asked (`AttachDataParts`).

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
