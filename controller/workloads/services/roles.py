"""Whether labels, or an operator's names, say that a server is the primary or a replica.

The words are those of CloudNativePG, Zalando, Patroni, Crunchy, Percona, StackGres, KubeDB,
KubeBlocks, Kubegres, Bitnami, MariaDB, Oracle, MOCO and Bitpoke.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import lru_cache


class ServerRole(StrEnum):
    """What a server is to the others that hold the same data."""

    PRIMARY = "primary"
    REPLICA = "replica"


_PRIMARY_WORDS = frozenset(
    {"primary", "master", "leader", "writer", "source", "rw", "read-write", "readwrite"}
)
# These mean a replica in whatever label they stand.
_REPLICA_WORDS = frozenset(
    {
        "replica",
        "replicas",
        "read-replica",
        "read-replicas",
        "readreplica",
        "secondary",
        "standby",
        "standby-leader",
        "hot-standby",
        "slave",
        "follower",
        "read-only",
        "readonly",
    }
)
# These do so only in a label that is about roles. CloudNativePG calls a primary unhealthy that is
# about to be replaced.
_REPLICA_WORDS_OF_ROLES = _REPLICA_WORDS | {"read", "ro", "r", "reader", "unhealthy"}
_TRUE = "true"
# All texts of labels that may say a role.
_WORDS = _PRIMARY_WORDS | _REPLICA_WORDS_OF_ROLES | {_TRUE}
# The last parts of labels that name things freely.
_CLUSTERS = frozenset({"cluster", "cluster-name", "clustername"})
_CLUSTER_KEYS = _CLUSTERS | {"cluster_name"}
_NAMES = _CLUSTERS | {"app", "name", "instance", "release", "part-of", "pod-name", "chart"}
_COMPONENT = "component"
_PROXIES = frozenset({"haproxy", "proxysql", "mysqlrouter", "router", "maxscale"})
_PRIMARY_ENDINGS = ("primary", "master", "leader", "rw", "writer")
_REPLICA_ENDINGS = (
    *("replica", "replicas", "repl", "secondary", "secondaries", "standby", "slave", "slaves"),
    *("follower", "followers", "ro", "r", "read", "readonly", "reader", "readers"),
)
# Crunchy's and Percona's Service whose endpoints Patroni writes.
_LEADER_ENDING = "ha"


def role_of(labels: Mapping[str, str]) -> ServerRole | None:
    """The role that labels, or a selector, name; None without one. A replica's word wins."""
    found = None
    for key, text in labels.items():
        role = _role_of_label(key, text)
        if role is ServerRole.REPLICA:
            return role
        found = role or found
    return found


def shared_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels without roles and components: what all pods of one database share."""
    return {
        key: text
        for key, text in labels.items()
        if _last(key) != _COMPONENT and _role_of_label(key, text) is None
    }


def is_of_proxy(labels: Mapping[str, str]) -> bool:
    """Whether labels, or a selector, name a proxy that leads to the primary."""
    return any(_last(key) == _COMPONENT and text in _PROXIES for key, text in labels.items())


def cluster_names(labels: Mapping[str, str]) -> set[str]:
    """The names in the labels by which operators and Patroni mark all that belongs to a cluster."""
    return {text for key, text in labels.items() if _last(key) in _CLUSTER_KEYS}


def role_of_name(name: str) -> ServerRole | None:
    """The role that the last word of a Service's name says; None without one."""
    ending = name.rpartition("-")[2] if "-" in name else ""
    if ending in _REPLICA_ENDINGS:
        return ServerRole.REPLICA
    return ServerRole.PRIMARY if ending in _PRIMARY_ENDINGS else None


def names_by_role(databases: Collection[str]) -> dict[str, ServerRole]:
    """The names that operators give to the Services of these databases, best ones first."""
    endings = {
        **dict.fromkeys(_PRIMARY_ENDINGS, ServerRole.PRIMARY),
        "": ServerRole.PRIMARY,
        _LEADER_ENDING: ServerRole.PRIMARY,
        **dict.fromkeys(_REPLICA_ENDINGS, ServerRole.REPLICA),
    }
    return {
        f"{database}-{ending}" if ending else database: role
        for ending, role in endings.items()
        for database in sorted(databases)
    }


# Keys of labels are few, their values are not.
@lru_cache(maxsize=1024)
def _last(key: str) -> str:
    return key.rpartition("/")[2].lower()


def _role_of_label(key: str, text: str) -> ServerRole | None:
    word = text.lower().replace("_", "-")
    if word not in _WORDS:
        # So most labels.
        return None
    about = _last(key)
    if word == _TRUE:
        # Percona's `mysql.percona.com/primary`.
        word, is_role = about, True
    else:
        is_role = about.endswith("role") or about == _COMPONENT
    if word in _REPLICA_WORDS and about not in _NAMES:
        return ServerRole.REPLICA
    if not is_role:
        return None
    if word in _REPLICA_WORDS_OF_ROLES:
        return ServerRole.REPLICA
    return ServerRole.PRIMARY if word in _PRIMARY_WORDS else None
