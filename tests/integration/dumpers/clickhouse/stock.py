"""A restore as the documentation tells it, with the stock client and nothing of ours."""

import io
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from tests.integration.dumpers.clickhouse.conftest import Backup
from tests.testbed.databases.clickhouse import Cluster, Replica

_SETTINGS = ("--insert_deduplicate=0", "--insert_allow_materialized_columns=1")


def load(backup: Backup, cluster: Cluster) -> None:
    """Load all of a backup into an empty cluster of as many shards, object after object."""
    for item in backup.objects:
        metadata = item["metadata"]
        if "script" in metadata:
            for label in metadata["replicas"]:
                replica_of(cluster, label).client("", stdin=backup.read(item))
            continue
        for table, data in tables(backup, item):
            load_table(cluster, metadata, table, data)


def load_table(
    cluster: Cluster, metadata: Mapping[str, Any], table: Mapping[str, Any], data: bytes
) -> None:
    """Load one table: where the rows belong to a shard, into any of its replicas."""
    if metadata.get("redundant") or not table["rows"]:
        return
    target = cluster.replica(metadata["shard"], metadata.get("replica", 1))
    target.client(table["insert"], *_SETTINGS, stdin=data)


def tables(backup: Backup, item: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """The tables of an object, with their rows."""
    data, held = backup.read(item), item["metadata"]["tables"]
    if not item["key"].endswith(".tar.gz"):
        yield held[0], data
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for table in held:
            found = archive.extractfile(table["entry"])
            assert found is not None
            yield table, found.read()


def replica_of(cluster: Cluster, label: str) -> Replica:
    shard, _, replica = label.removeprefix("s").partition("r")
    return cluster.replica(int(shard), int(replica))
