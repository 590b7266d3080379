"""What stops a restore before its first byte: told with its cure, and nothing is changed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from tests.integration.dumpers.clickhouse.conftest import NOW, connection
from tests.integration.dumpers.clickhouse.test_rights import (
    GUIDE,
    documented_grants,
    narrow,
    of_user,
)
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.toolchain.processes import free_port
from tests.unit.dumpers.engines.clickhouse.stored.backups import rows, script

BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
SHOP = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.t (a UInt8) ENGINE = MergeTree ORDER BY a",
    "INSERT INTO shop.t VALUES (1)",
    "CREATE DATABASE shop_restored",
)
TABLE = "CREATE TABLE shop.t (a UInt8) ENGINE = "


@pytest.fixture(scope="module")
def running() -> Iterator[Front]:
    with clickhouse_front.start_front() as front:
        for text in SHOP:
            front.sql(text)
        yield front


def state(front: Front) -> str:
    return front.sql(
        "SELECT database, name, create_table_query FROM system.tables "
        "WHERE database LIKE 'shop%' ORDER BY ALL"
    )


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            f"{TABLE}MergeTree ORDER BY a SETTINGS storage_policy = 'cold'",
            r"does not know these storage policies: 'cold \(shop\.t\)'",
        ),
        (f"{TABLE}Distributed('far', 'shop', 'u')", r"these clusters: 'far \(shop\.t\)'"),
        (f"{TABLE}Marvellous", r"these engines: 'Marvellous \(shop\.t\)'"),
        (f"{TABLE}ReplicatedMergeTree('/a', 'r') ORDER BY a", r"has no Keeper.*shop\.t needs"),
    ],
)
def test_what_the_target_does_not_have(running: Front, statement: str, says: str) -> None:
    before = state(running)
    with pytest.raises(TargetRefusedError, match=says):
        ENGINE.restore(connection(running), [script(statement), rows("shop", "t")], NOW, BESIDE)
    assert state(running) == before


def test_a_backup_of_a_newer_release(running: Front) -> None:
    newer = script(f"{TABLE}Log")
    newer = replace(newer, metadata={**newer.metadata, "release": "99.1.1"})
    plan = ENGINE.plan_restore(connection(running), [newer], NOW, BESIDE)
    assert "of release 26.9" in " ".join(plan.notes)
    typed = "CREATE TABLE shop.t (a AggregateFunction(sum, UInt8)) ENGINE = Log"
    states = replace(script(typed), metadata=newer.metadata)
    with pytest.raises(TargetRefusedError, match=r"types of 'shop\.t' load into the same release"):
        ENGINE.plan_restore(connection(running), [states], NOW, BESIDE)


def test_a_live_object_of_another_kind(running: Front) -> None:
    running.sql("CREATE VIEW shop.v AS SELECT 1 AS a")
    pieces = [script("CREATE TABLE shop.v (a UInt8) ENGINE = Log"), rows("shop", "v")]
    request = replace(BESIDE, mode=RestoreMode.OVERWRITE)
    with pytest.raises(TargetRefusedError, match=r"shop\.v is a View on"):
        ENGINE.plan_restore(connection(running), pieces, NOW, request)
    running.sql("DROP VIEW shop.v")


def test_what_would_reach_for_the_live_tables_is_not_made_beside(running: Front) -> None:
    texts = (
        f"{TABLE}Log",
        (
            "CREATE TABLE shop.q (a UInt8) ENGINE = RabbitMQ SETTINGS rabbitmq_host_port = 'x:1', "
            "rabbitmq_exchange_name = 'x', rabbitmq_format = 'JSONEachRow'"
        ),
        "CREATE VIEW shop.lost AS SELECT * FROM shop.gone",
    )
    pieces = [script(f"{';'.join(texts)};")]
    restored = ENGINE.restore(connection(running), pieces, NOW, BESIDE)
    assert sorted(note.partition(":")[0] for note in restored.notes) == [
        "shop.lost was not created",
        "shop.q was not created",
    ]
    ENGINE.forget(connection(running), ["shop_restored"], NOW)


def test_an_account_that_may_not_write() -> None:
    grants = [*map(of_user, documented_grants())]
    with (
        clickhouse_front.start_narrow(SHOP[:3], narrow(*grants)) as front,
        pytest.raises(TargetRefusedError) as caught,
    ):
        ENGINE.plan_restore(connection(front), [script(f"{TABLE}Log")], NOW, BESIDE)
    assert "GRANT CREATE DATABASE ON `shop_restored`.*" in str(caught.value)
    assert "CREATE TABLE ON `shop_restored`.*" in str(caught.value)


def grants_for_restores() -> list[str]:
    """The statements of the guide that let an account restore."""
    text = GUIDE.read_text().partition("## Restoring by the command")[2]
    lines = text.partition("```sql")[2].partition("```")[0].splitlines()
    return [line.partition(";")[0].removesuffix(" TO restorer") for line in lines if line]


def test_the_rights_of_the_guide_are_enough() -> None:
    view = "CREATE VIEW shop.v AS SELECT a FROM shop.t"
    tables = script(f"{TABLE}MergeTree ORDER BY a;")
    with clickhouse_front.start_narrow(SHOP[:3], narrow(*grants_for_restores())) as front:
        for mode in (RestoreMode.BESIDE, RestoreMode.SWAP, RestoreMode.OVERWRITE):
            pieces = [tables, rows("shop", "t", count=0), script(view, "views")]
            done = ENGINE.restore(connection(front), pieces, NOW, RestoreRequest(mode=mode))
            assert done.notes == ()
            ENGINE.forget(connection(front), ["shop_restored"], NOW)


def test_nobody_answers() -> None:
    nobody = Connection(host="127.0.0.1", port=free_port())
    with pytest.raises(TargetFailedError):
        ENGINE.plan_restore(nobody, [script(f"{TABLE}Log")], NOW, BESIDE)
