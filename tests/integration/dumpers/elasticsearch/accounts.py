"""Accounts that see all of a cluster, or parts of it, by roles of Elasticsearch's own security."""

from collections.abc import Mapping, Sequence
from typing import Any

_INDEX = ["read", "view_index_metadata", "monitor"]
_CLUSTER = ["monitor", "manage_index_templates", "read_ilm"]
USERS: Mapping[str, Sequence[str]] = {
    # Exactly what docs/elasticsearch.md asks for.
    "least": ["least"],
    "refresher": ["least", "refresher"],
    "documents": ["documents"],
    "fields": ["fields"],
    # One role that hides nothing is enough.
    "both": ["documents", "fields", "least"],
    "shop": ["shop"],
    "looker": ["shop", "looker"],
    "few": ["few"],
}


def roles(server: str) -> Mapping[str, Mapping[str, Any]]:
    """The roles of the users, as the release knows their rights."""
    # 6.8 has no right that only reads pipelines.
    pipelines = "manage_pipeline" if server == "elasticsearch-6" else "read_pipeline"
    cluster = [*_CLUSTER, pipelines]
    everything = {"names": ["*"], "privileges": _INDEX}
    return {
        "least": {"cluster": cluster, "indices": [everything]},
        "refresher": {"indices": [{"names": ["*"], "privileges": ["indices:admin/refresh*"]}]},
        "documents": {
            "cluster": cluster,
            "indices": [{**everything, "query": '{"term": {"who.keyword": "mine"}}'}],
        },
        "fields": {
            "cluster": cluster,
            "indices": [{**everything, "field_security": {"grant": ["who"]}}],
        },
        "shop": {"cluster": cluster, "indices": [{"names": ["shop-*"], "privileges": _INDEX}]},
        "looker": {"indices": [{"names": ["*"], "privileges": _INDEX[1:]}]},
        "few": {"cluster": ["monitor"], "indices": [everything]},
    }
