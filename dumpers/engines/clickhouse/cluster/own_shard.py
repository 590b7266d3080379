"""Which shard a pod dumps of a run that several pods share."""

from collections.abc import Sequence

from dumpers.contract.sharing import Share
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.runtime.errors import SourceRefusedError


def own_shard(found: Sequence[ShardReplicas], share: Share | None) -> int | None:
    """The number of the shard to dump; None for all of them.

    Raises SourceRefusedError where the cluster has not as many shards as there are pods: rows of
    some would be in no pod's dump.
    """
    if share is None:
        return None
    if len(found) != share.count:
        raise SourceRefusedError(
            f"the cluster has {len(found)} shards, and the annotation shard-count says "
            f"{share.count}: nothing is dumped, as rows would be missing; set shard-count to "
            f"{len(found)}"
        )
    return None if share.index is None else found[share.index].number
