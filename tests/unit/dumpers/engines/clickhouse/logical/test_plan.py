from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.logical.plan import Plan, TableRead, plan
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.runtime.errors import SourceFailedError
from tests.unit.dumpers.engines.clickhouse.parts import REPLICATED, group, holding, table

Paths = Mapping[str, tuple[str, int]]

REPLICA = table("t", REPLICATED)
LOCAL = table("t")


def held(
    groups: Sequence[ShardReplicas], total: int = 0, **tables: Sequence[Table]
) -> dict[str, ServerCatalog]:
    """What each server holds, by default nothing. Replicas have one path, all or `total`."""
    return {
        member.label: holding(
            member,
            tables.get(member.label, ()),
            {"t": (f"/{found.number}/t", total or len(found.replicas) + len(found.missing))},
        )
        for found in groups
        for member in found.replicas
    }


def planned(
    groups: Sequence[ShardReplicas],
    holdings: Mapping[str, ServerCatalog],
    *,
    partitions: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    every: bool = False,
) -> Plan:
    return plan(groups, holdings, partitions=partitions or {}, all_replicas=every)


def told(items: Sequence[TableRead]) -> list[tuple[str, str, list[str]]]:
    """Label, table and the replicas that are read, in their order."""
    return [
        (
            item.label,
            item.backup_table.table.full_name,
            [copy.replica.label for copy in item.copies],
        )
        for item in items
    ]


def test_a_replicated_table_is_read_once_a_shard_from_the_best_replica() -> None:
    groups = [group(1, 2, 1), group(2, 1, 2)]
    every = held(groups, s1r1=[REPLICA], s1r2=[REPLICA], s2r1=[REPLICA], s2r2=[REPLICA])
    found = planned(groups, every)
    assert told(found.items) == [("s1", "d.t", ["s1r2", "s1r1"]), ("s2", "d.t", ["s2r1", "s2r2"])]
    assert (found.items[1].shard, found.items[1].where) == (2, "d.t of s2")
    assert found.notes == ()


def test_a_replica_that_has_not_the_table_is_no_copy_of_it() -> None:
    groups = [group(1, 2, 1)]
    assert told(planned(groups, held(groups, s1r1=[REPLICA])).items) == [("s1", "d.t", ["s1r1"])]


def test_other_tables_are_read_everywhere() -> None:
    groups = [group(1, 2, 1), group(2, 1)]
    every = held(groups, s1r1=[LOCAL], s1r2=[LOCAL], s2r1=[LOCAL])
    assert told(planned(groups, every).items) == [
        ("s1r2", "d.t", ["s1r2"]),
        ("s1r1", "d.t", ["s1r1"]),
        ("s2", "d.t", ["s2r1"]),
    ]
    assert not any(item.redundant for item in planned(groups, every, every=True).items)


def test_what_has_no_rows_is_not_read() -> None:
    groups = [group(1, 1)]
    views = [table("v", "View"), table("s", "Set"), table("x", database="system"), LOCAL]
    assert told(planned(groups, held(groups, s1r1=views)).items) == [("s1", "d.t", ["s1r1"])]


def test_a_table_that_is_replicated_on_one_server_only_is_both() -> None:
    groups = [group(1, 1, 2)]
    found = planned(groups, held(groups, s1r1=[REPLICA], s1r2=[LOCAL]))
    assert sorted(told(found.items)) == [("s1", "d.t", ["s1r1"]), ("s1r2", "d.t", ["s1r2"])]


def test_a_view_is_found_by_the_path_of_its_own_table() -> None:
    uuid = "95cc8b85-7fa3-429c-ba55-47a40f424f6b"
    create = "CREATE MATERIALIZED VIEW d.mv (`k` UInt8) ENGINE = MergeTree ORDER BY k AS SELECT 1"
    own = f".inner_id.{uuid}"
    tables = [
        table("mv", "MaterializedView", uuid=uuid, create=create),
        table(own, REPLICATED, columns=("k",)),
    ]
    groups = [group(1, 1), group(2, 1)]
    holdings = {
        found.replicas[0].label: holding(found.replicas[0], tables, {own: ("/mv", 2)})
        for found in groups
    }
    assert told(planned(groups, holdings).items) == [("s1", "d.mv", ["s1r1"])]


def test_a_silent_replica_may_have_rows_of_its_own() -> None:
    groups = [group(1, 1, missing=["chi-1-2"]), group(2, 1)]
    assert told(planned(groups, held(groups, s1r1=[REPLICA])).items) == [("s1", "d.t", ["s1r1"])]
    with pytest.raises(SourceFailedError, match=r"no replica of those that have d\.t"):
        planned(groups, held(groups, 1, s1r1=[REPLICA]))
    assert told(planned(groups, held(groups, s2r1=[LOCAL])).items) == [("s2", "d.t", ["s2r1"])]
    for every in (False, True):
        with pytest.raises(SourceFailedError) as caught:
            planned(groups, held(groups, s1r1=[LOCAL]), every=every)
        assert all(word in str(caught.value) for word in ("chi-1-2", "shard 1", "d.t"))


def test_replicas_by_other_paths_have_other_rows_and_other_keys() -> None:
    groups = [group(1, 3, 2, 1)]
    holdings = {
        member.label: holding(member, [REPLICA], {"t": (path, 2)})
        for member, path in zip(groups[0].replicas, ("/a", "/b", "/a"), strict=True)
    }
    found = planned(groups, holdings)
    assert told(found.items) == [
        ("s1r3", "d.t", ["s1r3", "s1r1"]),
        ("s1r2", "d.t", ["s1r2"]),
    ]
    assert not any(item.redundant for item in found.items)
    assert [
        (item.label, item.redundant) for item in planned(groups, holdings, every=True).items
    ] == [
        ("s1r3", False),
        ("s1r1", True),
        ("s1r2", False),
    ]


@pytest.mark.parametrize(
    ("active", "read", "note"),
    [
        # All four are alive in one Keeper.
        ((4, 4, 4, 4), ["s1"], "read from one: d.t"),
        # More than were found: others are replicas too.
        ((5, 5, 5, 5), ["s1"], "read from one: d.t"),
        # A Keeper for each shard, with the same path: other rows.
        ((2, 2, 2, 2), ["s1", "s2"], ""),
        # One of them does not see the others.
        ((4, 4, 4, 1), ["s1", "s2"], "may be there twice after a restore: d.t"),
    ],
)
def test_a_table_that_is_replicated_over_shards_is_read_once(
    active: tuple[int, ...], read: list[str], note: str
) -> None:
    groups = [group(1, 1, 2), group(2, 1, 2)]
    members = [member for found in groups for member in found.replicas]
    holdings = {
        member.label: holding(member, [REPLICA], {"t": ("/t", alive)})
        for member, alive in zip(members, active, strict=True)
    }
    found = planned(groups, holdings)
    assert [item.label for item in found.items] == read
    assert [str(told).endswith(note) for told in found.notes] == [True] * bool(note)


def test_only_tables_of_one_name_are_read_for_each_other() -> None:
    groups = [group(1, 1), group(2, 1)]
    holdings = {
        "s1r1": holding(groups[0].replicas[0], [REPLICA], {"t": ("/t", 2)}),
        "s2r1": holding(groups[1].replicas[0], [table("u", REPLICATED)], {"u": ("/t", 2)}),
    }
    assert [item.backup_table.table.name for item in planned(groups, holdings).items] == ["t", "u"]


def test_tables_without_a_path_are_read_once_a_shard() -> None:
    shared = table("t", "SharedMergeTree")
    groups = [group(1, 1, 2), group(2, 1)]
    holdings = {
        member.label: holding(member, [shared]) for found in groups for member in found.replicas
    }
    assert [item.label for item in planned(groups, holdings).items] == ["s1", "s2"]


def test_all_replicas_are_read_and_the_best_is_no_spare() -> None:
    groups = [group(1, 2, 1)]
    found = planned(groups, held(groups, s1r1=[REPLICA], s1r2=[REPLICA]), every=True)
    assert [
        (*one, item.redundant) for one, item in zip(told(found.items), found.items, strict=True)
    ] == [
        ("s1r2", "d.t", ["s1r2"], False),
        ("s1r1", "d.t", ["s1r1"], True),
    ]


@pytest.mark.parametrize("every", [True, False])
def test_partitions_are_those_of_their_table(*, every: bool) -> None:
    groups = [group(1, 1, 2)]
    tables = [REPLICA, table("u"), table("w")]
    chosen = {("d", "t"): ("1", "2"), ("d", "u"): ("3",), ("e", "w"): ("4",)}
    items = planned(
        groups, held(groups, s1r1=tables, s1r2=tables), partitions=chosen, every=every
    ).items
    assert {(item.backup_table.table.name, item.partitions) for item in items} == {
        ("t", ("1", "2")),
        ("u", ("3",)),
        ("w", ()),
    }


@given(
    servers=st.dictionaries(
        st.tuples(st.integers(1, 3), st.integers(1, 3)),
        st.dictionaries(
            st.sampled_from("tuv"),
            st.tuples(st.booleans(), st.sampled_from(["", "/a", "/b"]), st.integers(1, 9)),
        ),
        min_size=1,
    ),
    every=st.booleans(),
)
def test_every_row_is_read_and_no_two_items_share_a_key(
    servers: dict[tuple[int, int], dict[str, tuple[bool, str, int]]], *, every: bool
) -> None:
    shards: dict[int, list[int]] = {}
    for shard, replica in servers:
        shards.setdefault(shard, []).append(replica)
    groups = [group(shard, *replicas) for shard, replicas in sorted(shards.items())]
    holdings = {
        member.label: holding(
            member,
            [
                table(name, REPLICATED if replicated else "Log")
                for name, (replicated, _, _) in servers[member.node.place].items()
            ],
            {
                name: (path, alive)
                for name, (replicated, path, alive) in servers[member.node.place].items()
                if replicated and path
            },
        )
        for found in groups
        for member in found.replicas
    }
    items = planned(groups, holdings, every=every).items
    keys = [(item.label, item.backup_table.table.full_name) for item in items]
    assert len(keys) == len(set(keys))
    read = {
        (copy.replica.node.place, copy.backup_table.table.name) for i in items for copy in i.copies
    }
    for place, tables in servers.items():
        for name, (replicated, path, _) in tables.items():
            # There or, by its path, in another shard.
            assert (place, name) in read or (
                replicated
                and path
                and any(
                    other != place and found.get(name, ())[:2] == (True, path)
                    for other, found in servers.items()
                )
            )
