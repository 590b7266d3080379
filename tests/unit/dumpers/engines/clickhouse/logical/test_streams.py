from collections.abc import Sequence

from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.logical.plan import plan
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.streams import arrange, arrange_in_stages
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.clickhouse.schema.scripts import statements
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.protocol import DumpStream
from dumpers.runtime.interrupt import Interrupt
from tests.unit.dumpers.engines.clickhouse.parts import REPLICATED, group, holding, table

ID = "95cc8b85-7fa3-429c-ba55-47a40f42000"


def view(number: int, *needs: str) -> list[Table]:
    """A materialized view with a table of its own."""
    create = (
        f"CREATE MATERIALIZED VIEW d.mv{number} (`k` UInt8) ENGINE = MergeTree ORDER BY k "
        "AS SELECT 1 AS k"
    )
    return [
        table(
            f"mv{number}",
            "MaterializedView",
            uuid=f"{ID}{number}",
            create=create,
            needs=[("d", need) for need in needs],
        ),
        table(f".inner_id.{ID}{number}"),
    ]


def streams(held: Sequence[ServerCatalog]) -> list[DumpStream]:
    """What a dump of one shard consists of, whose replicas hold this."""
    groups = [group(1, *(one.replica.node.replica for one in held))]
    planned = plan(
        groups, {one.replica.label: one for one in held}, partitions={}, all_replicas=False
    )
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    return arrange("main", held, planned.items, context)


def parts(held: Sequence[ServerCatalog]) -> list[str]:
    return ["/".join(stream.part) for stream in streams(held)]


def replicas(*tables: Sequence[Table]) -> list[ServerCatalog]:
    [of] = [group(1, *range(1, len(tables) + 1))]
    return [holding(member, held) for member, held in zip(of.replicas, tables, strict=True)]


def test_streams_come_in_the_order_in_which_they_load() -> None:
    tables = [
        *view(2, "mv1"),
        *view(1, "t"),
        table("t"),
        table("v", "View", create="CREATE VIEW d.v AS SELECT 1"),
        table(
            "to_t",
            "MaterializedView",
            create="CREATE MATERIALIZED VIEW d.to_t TO d.t AS SELECT 1 AS k",
        ),
    ]
    assert parts(replicas(tables)) == [
        "schema",
        "s1/d/t",
        "views",
        "views-with-rows-1",
        "s1/d/mv1",
        "views-with-rows-2",
        "s1/d/mv2",
        "materialized-views",
    ]


def test_servers_of_other_statements_have_scripts_of_their_own() -> None:
    one, other = table("t", REPLICATED), table("t", REPLICATED, create="CREATE TABLE d.t (b Int8)")
    held = replicas([one], [one], [other])
    assert parts(held) == ["s1r1/schema", "s1r3/schema", "s1/d/t"]
    first, second, _ = streams(held)
    assert first.metadata() == {
        "script": "schema",
        "replicas": ["s1r1", "s1r2"],
        "release": "26.9.1.1",
    }
    assert second.metadata()["replicas"] == ["s1r3"]


def test_a_script_that_one_server_has_not_is_not_for_it() -> None:
    seen = table("v", "View", create="CREATE VIEW d.v AS SELECT 1")
    held = replicas([table("t"), seen], [table("t")])
    assert [part for part in parts(held) if part.endswith("views")] == ["s1r1/views"]


def test_a_view_that_is_of_other_levels_elsewhere_is_stored_once() -> None:
    held = replicas(
        [*view(1), *view(2, "mv1")],
        # Here it reads something else.
        [*view(1), *view(2, "t")],
    )
    found = parts(held)
    assert len(found) == len(set(found))
    rows = [part for part in found if "/d/" in part]
    assert sorted(rows) == ["s1r1/d/mv1", "s1r1/d/mv2", "s1r2/d/mv1", "s1r2/d/mv2"]
    # Behind what creates it, wherever that is last.
    assert found.index("s1r2/d/mv2") > max(
        number for number, part in enumerate(found) if "views-with-rows" in part
    )


def test_small_tables_are_numbered_by_their_places() -> None:
    tables = [table(f"t{number}") for number in range(501)]
    found = parts(replicas(tables, tables[:21]))
    assert found == ["s1r1/schema", "s1r2/schema", "s1r1/small-1", "s1r1/small-2", "s1r2/small-1"]


def test_a_part_of_the_cluster_without_any_table_says_so_by_an_empty_script() -> None:
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    held = replicas([])
    assert arrange("main", held, [], context) == []
    [(stage, stream)] = arrange_in_stages("main", held, [], context, is_part=True)
    assert (stage, stream.part) == (0, ("s1r1", "schema"))
    # A restore makes there what the first server has, as if one pod had dumped all.
    assert stream.metadata()["replicas"] == []
    with stream.open(Interrupt()) as reader:
        assert not reader.read()
    assert statements("") == []
