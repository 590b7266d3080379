from collections.abc import Sequence

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.schema.drift import compare
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.tables import treat
from tests.unit.dumpers.engines.clickhouse.parts import table

ID, OTHER_ID = "95cc8b85-7fa3-429c-ba55-47a40f424f6b", "95cc8b85-7fa3-429c-ba55-47a40f424f6c"


def drift(**held: Sequence[Table]) -> tuple[str, ...]:
    found = compare({label: treat(tables) for label, tables in held.items()})
    assert all(note.code is NoteCode.DRIFT for note in found)
    return tuple(map(str, found))


def of(engine: str, columns: str = "`a` UInt8", name: str = "t") -> Table:
    create = f"CREATE TABLE d.{name} ({columns}) ENGINE = {engine} ORDER BY a"
    return table(name, engine.partition("(")[0], create=create)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of("MergeTree"), of("MergeTree")),
        (
            of("ReplicatedMergeTree('/s1/t', 'r1')"),
            of("ReplicatedMergeTree('/s2/t', 'r2')"),
        ),
        (
            of("ReplicatedReplacingMergeTree('/s1/t', 'r1', v)"),
            of("ReplicatedReplacingMergeTree('/s2/t', 'r2', v)"),
        ),
        (
            table("t", create=f"CREATE TABLE d.t UUID '{ID}' (`a` UInt8) ENGINE = Log"),
            table("t", create=f"CREATE TABLE d.t UUID '{OTHER_ID}'\n(\n`a` UInt8\n) ENGINE = Log"),
        ),
        (
            table("t", create="CREATE TABLE d.t (`a` UInt8) ENGINE = Log"),
            table("t", create="ATTACH TABLE d.t (`a` UInt8) ENGINE = Log"),
        ),
        # What no parser knows is compared as it is.
        (table("t", create="FROBNICATE t"), table("t", create="FROBNICATE t")),
    ],
)
def test_what_differs_by_design_is_the_same(one: Table, other: Table) -> None:
    assert drift(s1r1=[one], s2r1=[other]) == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of("MergeTree"), of("MergeTree", "`a` UInt16")),
        (of("MergeTree"), of("MergeTree", "`a` UInt8, `b` UInt8")),
        (of("MergeTree"), of("ReplicatedMergeTree('/t', 'r')")),
        (of("MergeTree"), of("Log")),
        # Strings that are not a replica's count.
        (
            of("ReplicatedMergeTree('/t', 'r')", "`a` UInt8 DEFAULT '1'"),
            of("ReplicatedMergeTree('/t', 'r')", "`a` UInt8 DEFAULT '2'"),
        ),
        (
            of("ReplicatedReplacingMergeTree('/t', 'r', v)"),
            of("ReplicatedReplacingMergeTree('/t', 'r', w)"),
        ),
        (of("Distributed('c', 'd', 't')"), of("Distributed('c', 'd', 'u')")),
        (table("t", create="FROBNICATE t"), table("t", create="FROBNICATE u")),
    ],
)
def test_a_table_that_is_another_is_told(one: Table, other: Table) -> None:
    assert drift(s1r1=[one], s2r1=[other]) == ("these tables are others on s1r1 than on s2r1: d.t",)


def test_every_server_is_named() -> None:
    same, other = of("MergeTree"), of("Log")
    assert drift(s1r1=[same], s1r2=[other], s2r1=[same], s2r2=[other], s3r1=[]) == (
        "these tables are others on s1r1, s2r1 than on s1r2, s2r2: d.t",
        "these tables are not on s3r1: d.t",
    )


def test_tables_that_are_missing_come_by_their_names() -> None:
    z, a = of("Log", name="z"), of("Log", name="a")
    assert drift(s1r1=[z], s1r2=[a]) == (
        "these tables are not on s1r1: d.a",
        "these tables are not on s1r2: d.z",
    )
    assert drift(s1r1=[z, a], s1r2=[]) == ("these tables are not on s1r2: d.a, d.z",)
    assert drift(s1r1=[], s1r2=[]) == ()
    assert drift() == ()


def test_a_views_own_table_and_the_servers_own_do_not_count() -> None:
    create = "CREATE MATERIALIZED VIEW d.mv (`k` UInt8) ENGINE = MergeTree ORDER BY k AS SELECT 1"

    def view(uuid: str) -> list[Table]:
        return [
            table("mv", "MaterializedView", uuid=uuid, create=create),
            table(f".inner_id.{uuid}"),
        ]

    passing = table("x", database="system")
    assert drift(s1r1=view(ID), s1r2=[*view(OTHER_ID), passing]) == ()
