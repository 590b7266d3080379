import pytest

from dumpers.engines.clickhouse.catalog.distributed import _cluster_of, is_foreign
from dumpers.engines.clickhouse.cluster.topology import Node

NODES = (
    *(Node(cluster="main", shard=n, replica=1, host=f"chi-{n}", port=9000) for n in (1, 2)),
    Node(cluster="one", shard=1, replica=1, host="chi-2", port=9000),
    Node(cluster="other", shard=1, replica=1, host="chi-9", port=9000),
    Node(cluster="mixed", shard=1, replica=1, host="chi-1", port=9000),
    Node(cluster="mixed", shard=2, replica=1, host="chi-9", port=9000),
    Node(cluster="self", shard=1, replica=1, host="localhost", port=9000, is_local=True),
)


@pytest.mark.parametrize(
    ("asked", "foreign"),
    [
        ("main", False),
        ("one", False),
        ("self", False),
        ("{cluster}", False),
        ("other", True),
        ("mixed", True),
        ("gone", True),
    ],
)
def test_a_table_over_other_servers_is_told(asked: str, *, foreign: bool) -> None:
    assert is_foreign(asked, NODES, "main") is foreign


@pytest.mark.parametrize(
    ("full", "cluster"),
    [
        ("Distributed('main', 'shop', 'orders', rand())", "main"),
        ("Distributed(main, shop, orders)", "main"),
        ("Distributed(`a b`, shop, orders)", "a b"),
        ("", ""),
    ],
)
def test_which_cluster_a_table_is_over(full: str, cluster: str) -> None:
    assert _cluster_of(full) == cluster
