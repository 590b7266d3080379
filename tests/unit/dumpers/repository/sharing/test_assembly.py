from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.repository.records import NoteRecord, ObjectRecord, StartedRecord
from dumpers.repository.sharing.assembly import (
    assemble,
    merge_notes,
    moved,
    objects_in_order,
    open_shards,
    taken_over,
    unheld,
)
from dumpers.repository.sharing.shard_record import (
    ShardObject,
    ShardRecord,
    claim_key,
    claimed_run,
    is_shard_name,
    shard_name,
    shared_run_id,
)

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEGUN = StartedRecord(
    run="r1",
    cluster="c",
    workload="demo/db",
    cronjob="cj",
    pod="cj-1",
    engine="clickhouse",
    bucket="b",
    started=MOMENT,
    deadline_seconds=60,
    keys=("first",),
    shards=3,
)


def stored(key: str, stage: int = 1, identity: str = "") -> ShardObject:
    record = ObjectRecord(
        key=key,
        name="main",
        ending=".native",
        size=1,
        sha256="a",
        crc32="b",
        source_size=2,
        source_sha256="c",
        checked=True,
    )
    return ShardObject(record=record, stage=stage, identity=identity)


def shard(number: int, *objects: ShardObject, done: bool = True, **members: Any) -> ShardRecord:
    return ShardRecord(
        run="r1",
        shard=number,
        writer="w",
        attempt=1,
        updated=members.pop("updated", MOMENT),
        done=done,
        keys=tuple(item.record.key for item in objects),
        objects=objects,
        server_version=members.pop("server_version", "ClickHouse 24"),
        tool_version="FORMAT Native over HTTP",
        **members,
    )


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ([], (1, 2, 3)),
        ([shard(1), shard(3)], (2,)),
        ([shard(1), shard(2, done=False), shard(3)], (2,)),
        ([shard(1), shard(2), shard(3)], ()),
        # Of a Job with more shards than the run counts.
        ([shard(1), shard(2), shard(4)], (3,)),
    ],
)
def test_a_run_is_open_until_every_shard_is_done(
    found: list[ShardRecord], left: tuple[int, ...]
) -> None:
    assert open_shards(BEGUN, {item.shard: item for item in found}) == left


@given(st.permutations(range(6)))
def test_objects_load_by_stage_then_shard_then_as_their_pod_has_them(order: list[int]) -> None:
    first = (stored("s1-tables", 0), stored("s1-b"), stored("s1-a"), stored("s1-views", 4))
    second = (stored("s2-tables", 0), stored("s2-a"))
    shards = [shard(1, *first), shard(2, *second)]
    if order[0] % 2:
        shards.reverse()
    keys = [item.key for item in objects_in_order(shards)]
    assert keys == ["s1-tables", "s2-tables", "s1-b", "s1-a", "s2-a", "s1-views"]


@pytest.mark.parametrize(
    ("shards", "missing"),
    [
        ([shard(1, holds=("d.t",)), shard(2, borrows=("d.t",))], []),
        ([shard(1), shard(2, borrows=("d.t",))], ["d.t"]),
        # What a shard borrows it does not hold itself.
        ([shard(1), shard(2, holds=("d.t",), borrows=("d.t",))], ["d.t"]),
        ([shard(1, holds=("d.u",)), shard(2), shard(3, borrows=("d.u",))], []),
    ],
)
def test_a_table_that_every_shard_leaves_to_another_is_missing(
    shards: list[ShardRecord], missing: list[str]
) -> None:
    assert unheld(shards) == missing


@pytest.mark.parametrize(
    ("places", "servers"),
    [
        (({"a": 1, "b": 2}, {"a": 1, "b": 2}), []),
        # One pod saw a replica that the other one did not.
        (({"a": 1, "b": 2}, {"a": 1, "b": 2, "b2": 2}), []),
        (({"a": 1, "b": 2}, {"b": 1, "a": 2}), ["a", "b"]),
        # A shard was put before the others.
        (({"a": 1, "b": 2}, {"c": 1, "a": 2}), ["a"]),
        (({}, {}), []),
    ],
)
def test_pods_that_number_the_shards_otherwise_are_told(
    places: tuple[dict[str, int], ...], servers: list[str]
) -> None:
    found = [shard(number, places=seen) for number, seen in enumerate(places, start=1)]
    assert moved(found) == servers


def test_the_manifest_is_of_all_shards() -> None:
    late = MOMENT + timedelta(hours=1)
    shards = [
        shard(1, stored("k1"), updated=late, metadata={"cluster": "as seen last"}),
        shard(2, stored("k2"), server_version="ClickHouse 25", metadata={"cluster": "as before"}),
    ]
    made = assemble(
        BEGUN,
        [shards[0], replace(shards[1], keys=("k2", "left-by-an-earlier-pod"))],
        finished=late,
        compression="gzip",
        recipients=("age1",),
        retention=None,
        size_accepted=False,
        required_proof="",
        options={"A": "b"},
    )
    assert [item.key for item in made.objects] == ["k1", "k2"]
    assert made.begun.keys == ("first", "k1", "k2", "left-by-an-earlier-pod")
    assert (made.begun.run, made.begun.started, made.begun.shards) == ("r1", MOMENT, 3)
    assert made.server_version == "ClickHouse 24, ClickHouse 25"
    assert made.tool_version == "FORMAT Native over HTTP"
    assert made.metadata == {"cluster": "as seen last"}
    assert made.encryption is not None


def test_notes_of_several_shards_are_one() -> None:
    def note(*objects: str, text: str = "t", accepted: bool = True) -> NoteRecord:
        return NoteRecord(code="standby", text=text, objects=objects, accepted=accepted)

    assert merge_notes([note("a"), note("b", accepted=False), note("a"), note(text="u")]) == (
        note("a", "b", accepted=False),
        note(text="u"),
    )


def test_a_later_pod_takes_over_what_it_would_store_the_same() -> None:
    before = [stored("old", identity="1"), stored("changed", identity="2"), stored("script")]
    wanted = {"new": "1", "new-changed": "3", "new-script": ""}
    stages = {"new": 8, "new-changed": 1, "new-script": 0}
    # What it loads behind may be at another place by now.
    assert taken_over(before, wanted, stages) == {"new": replace(before[0], stage=8)}


def test_names_say_what_they_are() -> None:
    assert shard_name(12) == "shard-12.json"
    assert is_shard_name("shard-12.json")
    assert not any(map(is_shard_name, ["shard-0.json", "shard-1.json.gz", "started.json"]))
    key = claim_key("p/cj/", "abc")
    assert key == "p/cj/jobs/abc.json"
    assert claimed_run("p/cj/", key) == "abc"
    assert claimed_run("p/cj/", "p/cj/20260102T030405Z-r1/started.json") == ""
    assert shared_run_id("uid-1") == shared_run_id("uid-1") != shared_run_id("uid-2")
    assert len(shared_run_id("uid-1")) == 12
