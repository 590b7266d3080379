import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.cluster.topology import (
    Health,
    Node,
    Shard,
    choose_cluster,
    full_name,
    order,
    read_shards,
    shards,
)
from dumpers.runtime.errors import ConfigurationError, SourceRefusedError

ENTRY = "clickhouse.shop.svc.cluster.local"


def node(cluster: str = "main", shard: int = 1, replica: int = 1, host: str = "") -> Node:
    return Node(
        cluster=cluster,
        shard=shard,
        replica=replica,
        host=host or f"chi-{shard}-{replica}",
        port=9000,
        is_local=True,
    )


def grid(cluster: str, number: int = 2, replicas: int = 2, host: str = "") -> list[Node]:
    return [
        node(cluster, shard, replica, host)
        for shard in range(1, number + 1)
        for replica in range(1, replicas + 1)
    ]


# What Altinity's operator and the configuration of the packages bring along.
OPERATOR = [
    *grid("all-replicated", 1, 4),
    *grid("all-sharded", 4, 1),
    *grid("all-clusters", 2, 2),
]
STOCK = [
    *grid("test_shard_localhost", 1, 1, "localhost"),
    *grid("test_cluster_two_shards", 2, 1, "127.0.0.2"),
    *grid("test_unavailable_shard", 2, 1, "localhost"),
]
STOCK_DEFAULT = grid("default", 1, 1, "localhost")


@pytest.mark.parametrize(
    ("nodes", "asked", "macro", "chosen"),
    [
        ([], "", "", None),
        ([], "", "main", None),
        (STOCK, "", "", None),
        (STOCK + STOCK_DEFAULT, "", "", None),
        (STOCK_DEFAULT, "default", "", None),
        (grid("main"), "", "", "main"),
        (grid("main") + OPERATOR + STOCK, "", "", "main"),
        # The stock `default` is this host alone: it does not win over a cluster of servers.
        (grid("main") + STOCK_DEFAULT, "", "", "main"),
        (grid("main") + STOCK_DEFAULT, "", "default", "main"),
        (grid("main") + grid("default"), "", "", "default"),
        (grid("main") + grid("default"), "", "main", "main"),
        (grid("main") + grid("other"), "", "other", "other"),
        (grid("main") + grid("other"), "other", "main", "other"),
        (grid("main") + OPERATOR, "all-sharded", "main", "all-sharded"),
        (grid("main"), "", "elsewhere", "main"),
        (grid("test_mine"), "test_mine", "", "test_mine"),
        (grid("test_mine"), "", "test_mine", "test_mine"),
        (grid("system_x", 1, 1) + grid("main"), "", "", "main"),
        # Servers of one machine that are told apart by their ports.
        (grid("main", host="127.0.0.1"), "", "", "main"),
        # An operator's installation of one server.
        (grid("all-replicated", 1, 1) + grid("all-sharded", 1, 1), "", "", None),
    ],
)
def test_the_cluster_that_is_meant_is_chosen(
    nodes: list[Node], asked: str, macro: str, chosen: str | None
) -> None:
    assert choose_cluster(nodes, asked=asked, macro=macro) == chosen


@pytest.mark.parametrize(
    ("nodes", "asked", "words"),
    [
        ([], "main", ("annotation cluster", "'main'", "it knows none")),
        (grid("main") + STOCK_DEFAULT, "man", ("annotation cluster", "'man'", "'default', 'main'")),
        (grid("a") + grid("b"), "", ("annotation cluster", "'a', 'b'")),
        # None of these may be dumped without a word, and this host alone is not all there is.
        (OPERATOR, "", ("annotation cluster", "'all-clusters'")),
        (grid("test_mine") + STOCK, "", ("annotation cluster", "'test_mine'")),
    ],
)
def test_a_cluster_that_is_not_sure_is_refused(
    nodes: list[Node], asked: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(SourceRefusedError) as caught:
        choose_cluster(nodes, asked=asked, macro="")
    assert all(word in str(caught.value) for word in words)


def test_shards_and_replicas_come_by_their_numbers() -> None:
    found = shards([*reversed(grid("main", 3)), *grid("other", 5)], "main")
    assert [shard.number for shard in found] == [1, 2, 3]
    assert found[1] == Shard(number=2, nodes=(node(shard=2, replica=1), node(shard=2, replica=2)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a", [[("a", 8123)]]),
        ("a:1,b;c", [[("a", 1), ("b", 8123)], [("c", 8123)]]),
        (" a , b ;\n c:65535 ; ", [[("a", 8123), ("b", 8123)], [("c", 65535)]]),
        ("[::1]:9000,[fd00::2]", [[("::1", 9000), ("fd00::2", 8123)]]),
        (
            "a.b.svc:1;a.b.svc:2;10.0.0.1",
            [[("a.b.svc", 1)], [("a.b.svc", 2)], [("10.0.0.1", 8123)]],
        ),
    ],
)
def test_listed_shards_are_read(text: str, found: list[list[tuple[str, int]]]) -> None:
    read = read_shards("SHARDS", text, port=8123)
    assert [[(node.host, node.port) for node in shard.nodes] for shard in read] == found
    assert [shard.number for shard in read] == list(range(1, len(found) + 1))
    assert all(
        [node.replica for node in shard.nodes] == list(range(1, len(shard.nodes) + 1))
        and {node.shard for node in shard.nodes} == {shard.number}
        for shard in read
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("'' in shard 1",)),
        ("a;;b", ("'' in shard 2",)),
        ("a,,b", ("'' in shard 1",)),
        ("a:0", ("'a:0'",)),
        ("a:65536", ("'a:65536'",)),
        ("a:http", ("'a:http'",)),
        ("http://a:1", ("'http://a:1'",)),
        ("::1", ("'::1'", "brackets")),
        ("[a]:1", ("'[a]:1'",)),
        ("a b", ("'a b'",)),
        ("user@a", ("'user@a'",)),
        ("a;a:8123", ("a:8123 twice",)),
        ("a,a", ("a twice",)),
        ("a:0;b,?", ("'a:0'", "'?' in shard 2")),
    ],
)
def test_every_fault_of_listed_shards_is_named(text: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="SHARDS") as caught:
        read_shards("SHARDS", text, port=8123)
    assert all(word in str(caught.value) for word in words)


FRESH = Health(reachable=True)


@pytest.mark.parametrize(
    ("health", "best_first"),
    [
        ({1: FRESH, 2: FRESH, 3: FRESH}, [3, 2, 1]),
        ({1: FRESH, 2: Health(reachable=False)}, [1]),
        ({1: Health(reachable=False)}, []),
        ({1: FRESH, 2: Health(reachable=True, queue=1)}, [1, 2]),
        ({1: Health(reachable=True, delay=5), 2: Health(reachable=True, delay=6)}, [1, 2]),
        # The queue tells sooner.
        ({1: Health(reachable=True, delay=99), 2: Health(reachable=True, queue=3)}, [1, 2]),
        (
            {1: Health(reachable=True, queue=99), 2: Health(reachable=True, readonly=True)},
            [1, 2],
        ),
        (
            {1: Health(reachable=True, queue=99), 2: Health(reachable=True, session_expired=True)},
            [1, 2],
        ),
        (
            {
                1: Health(reachable=True, readonly=True, queue=2),
                2: Health(reachable=True, readonly=True, queue=3),
                3: Health(reachable=False),
            },
            [1, 2],
        ),
    ],
)
def test_the_replica_that_lacks_least_is_first(
    health: dict[int, Health], best_first: list[int]
) -> None:
    found = order({node(replica=number): each for number, each in health.items()})
    assert [each.replica for each in found] == best_first


@given(
    st.dictionaries(
        st.integers(1, 9),
        st.builds(
            Health,
            reachable=st.booleans(),
            readonly=st.booleans(),
            session_expired=st.booleans(),
            queue=st.integers(0, 3),
            delay=st.integers(0, 3),
        ),
    )
)
def test_every_replica_that_answers_is_kept(health: dict[int, Health]) -> None:
    found = order({node(replica=number): each for number, each in health.items()})
    assert {each.replica for each in found} == {
        number for number, each in health.items() if each.reachable
    }
    stale = [health[each.replica].is_stale for each in found]
    assert stale == sorted(stale)


@pytest.mark.parametrize(
    ("host", "entry", "full"),
    [
        ("chi-x-y-0-0", ENTRY, "chi-x-y-0-0.shop.svc.cluster.local"),
        ("chi-x-y-0-0", "clickhouse.shop.svc", "chi-x-y-0-0.shop.svc"),
        ("chi-x-y-0-0", "clickhouse.shop.svc.my.zone", "chi-x-y-0-0.shop.svc.my.zone"),
        ("a.other.svc.cluster.local", ENTRY, "a.other.svc.cluster.local"),
        ("a.b", ENTRY, "a.b"),
        ("10.1.2.3", ENTRY, "10.1.2.3"),
        ("fd00::1", ENTRY, "fd00::1"),
        ("localhost", ENTRY, "localhost"),
        ("chi", "10.0.0.1", "chi"),
        ("chi", "db.example.com", "chi"),
        ("chi", "localhost", "chi"),
    ],
)
def test_short_names_are_of_the_entry_points_namespace(host: str, entry: str, full: str) -> None:
    assert full_name(host, entry=entry) == full
