"""Making an empty node ready for a restore: nothing else may move or delete indices meanwhile."""

import json
from collections.abc import Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.own_server import check_loopback, check_mark
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.elasticsearch.load.contents import read_contents
from dumpers.engines.elasticsearch.load.target import find_target
from dumpers.engines.elasticsearch.product import Flavour, Product
from dumpers.engines.elasticsearch.throwaway import CLUSTER
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

# Requests that a release without the thing refuses. Policies would roll indices over, shrink or
# delete them as soon as they are there, and one node is to hold the shards of many.
_REQUESTS: Sequence[tuple[str, str, object]] = (
    ("POST", "/_ilm/stop", None),
    *(
        ("PUT", "/_cluster/settings", {"persistent": {name: value}})
        for name, value in (
            ("cluster.max_shards_per_node", 1_000_000),
            ("indices.lifecycle.poll_interval", "365d"),
            ("data_streams.lifecycle.poll_interval", "365d"),
            ("plugins.index_state_management.enabled", False),
            ("opendistro.index_state_management.enabled", False),
            # It would write reports into indices of its own.
            ("search.insights.top_queries.latency.enabled", False),
            ("search.insights.top_queries.cpu.enabled", False),
            ("search.insights.top_queries.memory.enabled", False),
        )
    ),
)


def prepare_drill(
    server: Connection, objects: Sequence[DrilledObject], interrupt: Interrupt
) -> None:
    """See DrilledEngine.prepare_drill."""
    check_loopback(server)
    to = find_target(server, interrupt)
    name = to.ask("GET", "/_cluster/health", filter_path="cluster_name").get("cluster_name")
    check_mark(server, has=name == CLUSTER, mark=f"the name of cluster {CLUSTER}")
    contents = read_contents([item.stored for item in objects])
    flavour, _, version = contents.server.partition(" ")
    if flavour in set(Flavour):
        dumped = Product(flavour=Flavour(flavour), version=version)
        if (dumped.flavour, dumped.number[:1]) != (to.product.flavour, to.product.number[:1]):
            raise TargetRefusedError(
                f"the throwaway server is {to.product}, and the backup is of {dumped}: set an "
                "image of the same product and major release"
            )
    for method, path, content in _REQUESTS:
        try:
            to.ask(method, path, json.dumps(content).encode() if content is not None else b"")
        except TargetRefusedError:
            continue
        except TargetFailedError:
            # A server that is gone is not one that knows no such thing.
            to.ask("GET", "/")
