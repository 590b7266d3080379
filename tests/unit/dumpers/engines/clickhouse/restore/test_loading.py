from collections.abc import Sequence

import pytest

from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.clickhouse.cluster.replicas import ShardReplicas
from dumpers.engines.clickhouse.logical.query_log import QueryLog
from dumpers.engines.clickhouse.logical.streams import arrange
from dumpers.engines.clickhouse.logical.table_read import DumpContext
from dumpers.engines.clickhouse.restore.in_the_way import check_empty
from dumpers.engines.clickhouse.restore.loading import Loading
from dumpers.engines.clickhouse.restore.target import Target
from dumpers.engines.clickhouse.stored.contents import Contents, read_contents
from dumpers.engines.clickhouse.stored.wanted import choose
from tests.unit.dumpers.engines.clickhouse.parts import NOW, group, holding, table
from tests.unit.dumpers.engines.clickhouse.stored.backups import script

NOTHING = Contents(pieces=(), scripts={})


def loading(groups: Sequence[ShardReplicas], contents: Contents = NOTHING) -> Loading:
    return Loading(
        target=Target(shards=groups, interrupt=NOW), wanted=choose(contents, RestoreRequest(), "")
    )


def test_the_servers_that_were_dumped_are_known_by_the_script_of_tables() -> None:
    held = [holding(one, [table("t")]) for one in group(1, 2, 3).replicas]
    context = DumpContext(query_log=QueryLog(needed=True), accepts_counts=False)
    first, *_ = arrange("main", held, (), context)
    labels = first.metadata()["replicas"]
    assert read_contents([script("", labels=labels)]).labels == ["s1r2", "s1r3"]


def test_scripts_run_on_the_server_of_their_label_and_the_first_one_s_on_others() -> None:
    contents = read_contents([script("SELECT 1", labels=("s1r2",)), script("", labels=("s1r1",))])
    into = loading([group(1, 1, 2), group(2, 1)], contents)
    ran = [(replica.label, found.labels) for replica, found in into.by_server("schema")]
    assert ran == [("s1r2", ("s1r2",)), ("s2r1", ("s1r2",)), ("s1r1", ("s1r1",))]


def test_a_backup_without_rows_asks_for_no_tables() -> None:
    # Nobody answers there.
    into = loading([])
    check_empty(into.target, into.wanted)


@pytest.mark.parametrize(
    ("shard", "replica", "label", "told"),
    [
        (1, None, "s1r1", False),
        (2, None, "s2r1", False),
        (2, 2, "s2r2", False),
        # More were dumped than there are.
        (3, None, "s1r1", True),
        (4, 2, "s2r2", True),
        # There are no more replicas: told as well.
        (1, 3, "s1r1", True),
    ],
)
def test_rows_go_where_they_belong(
    shard: int, replica: int | None, label: str, *, told: bool
) -> None:
    into = loading([group(1, 2, 1), group(2, 1, 2)])
    metadata = {"shard": shard} | ({"replica": replica} if replica else {})
    assert into._replica_for(metadata).label == label
    assert ["there are fewer" in note for note in into.notes] == [True] * told
