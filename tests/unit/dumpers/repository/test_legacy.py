from datetime import UTC, date, datetime

import pytest

from dumpers.repository.legacy import day_prefix, engine_of, make_entry, parse_id, read_key

MYSQL = "ksnapshot-mysql-demo-db-c11184c0"
LONG = "ksnapshot-mysql-team-a-really-long-workload-81358c52"
DAY = date(2025, 1, 2)
MOMENT = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cronjob", "engine"),
    [
        (MYSQL, "mysql"),
        ("ksnapshot-postgresql-a-b-c11184c0", "postgresql"),
        ("ksnapshot-elasticsearch-a-b-c11184c0", ""),
        ("mine", ""),
    ],
)
def test_a_cronjob_names_its_engine(cronjob: str, engine: str) -> None:
    assert engine_of(cronjob) == engine


@pytest.mark.parametrize(
    ("cronjob", "pod", "rest", "name", "encrypted"),
    [
        (MYSQL, f"{MYSQL}-29384756-x7k2p", "shop-20250102030405.sql.gz.age", "shop", True),
        (MYSQL, f"{MYSQL}-29384756-x7k2p", "my-shop.2-20250102030405.sql.gz", "my-shop.2", False),
        # Cut by Kubernetes before the pod's own letters.
        (LONG, f"{LONG}-29384x7k2p", "shop-20250102030405.sql.gz", "shop", False),
    ],
)
def test_a_key_tells_all_that_is_known(
    cronjob: str, pod: str, rest: str, name: str, *, encrypted: bool
) -> None:
    prefix = day_prefix(path="ksnapshot", cronjob=cronjob, day=DAY)
    key = f"ksnapshot/2025/01/02/mysql/dump-{pod}-{rest}"
    assert key.startswith(prefix)
    dump = read_key(prefix, key, cronjob=cronjob)
    assert dump is not None
    assert (dump.name, dump.pod, dump.started) == (name, pod, MOMENT)
    assert (dump.is_encrypted, dump.id) == (encrypted, "legacy-20250102T030405Z")
    assert parse_id(dump.id) == MOMENT
    entry = make_entry(dump, cluster="c", cronjob=cronjob, size=7)
    assert (entry.is_restorable, entry.record, entry.stored_bytes) == (True, key, 7)


@pytest.mark.parametrize(
    "rest",
    [
        "29384756-x7k2p-shop-20250102030405.sql",
        "29384756-x7k2p-shop-20251302030405.sql.gz",
        "29384756-x7k2p-20250102030405.sql.gz",
        "29384756-x7k2p-shop-20250102030405/t.sql.gz",
        "x7k2p-shop-20250102030405.sql.gz",
        "",
    ],
)
def test_other_keys_name_no_dump(rest: str) -> None:
    prefix = day_prefix(path="", cronjob=MYSQL, day=DAY)
    assert read_key(prefix, prefix + rest, cronjob=MYSQL) is None


@pytest.mark.parametrize(
    "wanted", ["latest", "legacy-", "legacy-soon", "r1", "legacy-20251302T000000Z"]
)
def test_other_ids_name_no_time(wanted: str) -> None:
    assert parse_id(wanted) is None
