"""Accounts that see less than there is: enough, or told, or refused; never taken for everything."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dumpers.engines.clickhouse.engine import ENGINE
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from tests.integration.dumpers.clickhouse.conftest import (
    NOW,
    Backup,
    Dumps,
    connection,
    started,
)
from tests.paths import REPOSITORY
from tests.testbed.databases import clickhouse_front
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.databases.clickhouse_config import Account
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_http import Login

GUIDE = Path(REPOSITORY, "docs", "clickhouse.md")
FILL = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.orders (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.orders SELECT number, 'x' FROM numbers(10)",
    "CREATE TABLE shop.people (id UInt64, iban String) ENGINE = MergeTree ORDER BY id",
    "INSERT INTO shop.people SELECT number, 'x' FROM numbers(20)",
    "CREATE MATERIALIZED VIEW shop.totals ENGINE = Log AS SELECT name FROM shop.orders",
    "CREATE DATABASE crm",
    "CREATE TABLE crm.calls (id UInt64) ENGINE = Log",
    "INSERT INTO crm.calls VALUES (1)",
)
ALL = {"shop.orders": 10, "shop.people": 20, "shop.totals": 0, "crm.calls": 1}


def narrow(*grants: str, filters: dict[tuple[str, str], str] | None = None) -> Account:
    # readonly = 2 would forbid the front its own log.
    return Account(login=Login.make("default"), profile="", grants=grants, filters=filters or {})


def rows(backup: Backup) -> dict[str, int]:
    return {f"{key[1]}.{key[2]}": said["rows"] for key, said in backup.tables().items()}


def documented_grants() -> list[str]:
    """The statements of the guide that allow something, for the engine's only user."""
    text = GUIDE.read_text().partition("```sql")[2].partition("```")[0]
    return [
        line.strip().removesuffix(";").replace("TO ksnapshot", "TO default")
        for line in text.splitlines()
        if line.strip().startswith("GRANT")
    ]


def of_user(grant: str) -> str:
    return grant.removesuffix(" TO default")


def test_the_rights_of_the_guide_are_enough(dumps: Dumps) -> None:
    grants = [*map(of_user, documented_grants())]
    with clickhouse_front.start_narrow(FILL, narrow(*grants)) as front:
        backup = dumps.of_front(front)
    assert rows(backup) == ALL
    assert backup.document["notes"] == []
    with clickhouse_front.start_front() as new:
        assert ENGINE.restore(connection(new), backup.pieces(), NOW).notes == ()


def test_the_least_rights_tell_what_they_do_not_show(dumps: Dumps) -> None:
    with clickhouse_front.start_narrow(FILL, narrow("GRANT SELECT, SHOW ON *.*")) as front:
        backup = dumps.of_front(front)
        chosen = dumps.of_front(front, {"KSNAPSHOT_DATABASES": "shop"})
    assert rows(backup) == ALL
    assert backup.codes == {"globals", "row-security"}
    assert "SHOW ROW POLICIES" in backup.notes
    assert "SHOW ACCESS" in backup.notes
    assert "NAMED COLLECTIONS" in backup.notes
    assert chosen.codes == {"row-security"}


def test_rights_on_some_databases(dumps: Dumps) -> None:
    grants = ("GRANT SELECT, SHOW ON shop.*", "GRANT SHOW ROW POLICIES ON *.*")
    with clickhouse_front.start_narrow(FILL, narrow(*grants)) as front:
        everything = dumps.of_front(front)
        chosen = dumps.of_front(front, {"KSNAPSHOT_DATABASES": "shop"})
        with pytest.raises(SourceRefusedError, match=r"'crm\.calls'"):
            dumps.of_front(front, {"KSNAPSHOT_DATABASES": "shop,crm"})
    assert rows(everything) == rows(chosen)
    assert "unreadable" in everything.codes
    assert chosen.document["notes"] == []


@pytest.fixture(scope="module")
def partly() -> Iterator[Front]:
    """All may be seen, not all be read."""
    grants = (
        *("GRANT SHOW, SHOW ROW POLICIES ON *.*", "GRANT SELECT ON shop.orders"),
        *("GRANT SELECT(id) ON shop.people", "GRANT SELECT ON shop.totals"),
    )
    with clickhouse_front.start_narrow(FILL, narrow(*grants)) as front:
        yield front


def test_what_nobody_named_and_is_not_readable_is_left_out(partly: Front, dumps: Dumps) -> None:
    backup = dumps.of_front(partly)
    assert rows(backup) == {"shop.orders": 10, "shop.totals": 0}
    assert {"shop.people", "crm.calls"} <= backup.noted("unreadable")
    assert "CREATE TABLE crm.calls" in backup.script("schema")


def test_what_was_named_and_is_not_readable_is_refused(partly: Front, dumps: Dumps) -> None:
    with pytest.raises(SourceRefusedError, match=r"may not read 'crm\.calls' .*GRANT SELECT"):
        dumps.of_front(partly, {"KSNAPSHOT_DATABASES": "crm"})
    backup = dumps.of_front(partly, {"KSNAPSHOT_TABLES": "shop.orders"})
    assert rows(backup) == {"shop.orders": 10}
    assert backup.document["notes"] == []


def test_columns_that_are_not_shown(dumps: Dumps) -> None:
    grants = (
        *("GRANT SHOW TABLES, SHOW DATABASES, SHOW ROW POLICIES ON *.*",),
        *("GRANT SELECT ON shop.orders", "GRANT SELECT(id) ON shop.people"),
    )
    with clickhouse_front.start_narrow(FILL, narrow(*grants)) as front:
        backup = dumps.of_front(front, {"KSNAPSHOT_TABLES": "shop.orders,shop.people"})
    assert rows(backup) == {"shop.orders": 10, "shop.people": 20}
    assert backup.noted("row-security") == {"shop.people.iban"}


def test_rows_that_a_policy_hides(dumps: Dumps) -> None:
    account = narrow(
        "GRANT SELECT, SHOW, SHOW ROW POLICIES ON *.*",
        filters={("shop", "orders"): "id < 5", ("shop", "people"): "1"},
    )
    with clickhouse_front.start_narrow(FILL, account) as front:
        backup = dumps.of_front(front)
        other = dumps.of_front(front, {"KSNAPSHOT_TABLES": "shop.people"})
    assert rows(backup)["shop.orders"] == 5
    assert backup.noted("row-security") == {"shop.orders"}
    assert other.document["notes"] == []


@pytest.fixture(scope="module")
def old() -> Iterator[tuple[Cluster, dict[str, Login]]]:
    """The oldest release, whose accounts are in a file."""
    profiles = {
        "cuts": (
            "<readonly>1</readonly><max_result_rows>3</max_result_rows>"
            "<result_overflow_mode>break</result_overflow_mode>"
        ),
        "loud": "<readonly>1</readonly><max_execution_time>3600</max_execution_time>"
        "<log_queries>1</log_queries>",
        "slow": "<readonly>2</readonly><min_execution_speed>1000000000</min_execution_speed>"
        "<timeout_before_checking_execution_speed>0</timeout_before_checking_execution_speed>"
        "<send_progress_in_http_headers>1</send_progress_in_http_headers>"
        "<http_headers_progress_interval_ms>0</http_headers_progress_interval_ms>",
    }
    logins = {name: Login.make(name) for name in profiles}
    accounts = [
        Account(
            login=logins[name],
            profile=profile,
        )
        for name, profile in profiles.items()
    ]
    with started(shards=1, replicas=1, accounts=accounts) as running:
        for text in (
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id UInt64) ENGINE = MergeTree ORDER BY id",
            "INSERT INTO shop.orders SELECT number FROM numbers(100000)",
            "CREATE TABLE shop.people (id UInt64) ENGINE = MergeTree ORDER BY id",
            "INSERT INTO shop.people SELECT number FROM numbers(10)",
        ):
            running.replica(1, 1).sql(text)
        yield running, logins


def of_old(old: tuple[Cluster, dict[str, Login]], dumps: Dumps, name: str) -> Backup:
    cluster, logins = old
    return dumps.run(dumps.env(cluster.replica(1, 1).host, cluster.http_port, logins[name]))


def test_a_profile_that_cuts_results_and_may_not_be_changed(
    old: tuple[Cluster, dict[str, Login]], dumps: Dumps
) -> None:
    with pytest.raises(SourceRefusedError, match=r"result_overflow_mode = 'break'.*readonly = 2"):
        of_old(old, dumps, "cuts")


@pytest.mark.parametrize("name", ["loud", "slow"])
def test_a_profile_that_only_limits(
    old: tuple[Cluster, dict[str, Login]], dumps: Dumps, name: str
) -> None:
    backup = _patiently(lambda: of_old(old, dumps, name))
    assert rows(backup) == {"shop.orders": 100000, "shop.people": 10}
    assert backup.document["notes"] == []


def _patiently(dump: Callable[[], Backup]) -> Backup:
    """Dump, again where the very first query, which goes without settings, was too slow."""
    for _ in range(4):
        try:
            return dump()
        except SourceFailedError as error:
            if "Code: 160" not in str(error):
                raise
    return dump()
