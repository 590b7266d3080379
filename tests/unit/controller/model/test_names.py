import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import (
    MAX_CRONJOB_NAME,
    cronjob_name,
    job_name,
    type_in,
    verify_cronjob_name,
)

# Contract section 6.
VECTORS = [
    ("mysql", "demo/database", "ksnapshot-mysql-demo-database-c11184c0"),
    ("postgresql", "demo/database", "ksnapshot-postgresql-demo-database-c11184c0"),
    ("clickhouse", "demo/database", "ksnapshot-clickhouse-demo-database-c11184c0"),
    (
        "mysql",
        "team-a/really-long-workload-name-aaaaaaaaaaaaaaaaaaaa",
        "ksnapshot-mysql-team-a-really-long-workload-81358c52",
    ),
    (
        "elasticsearch",
        "my-ns/data.es-cluster_01",
        "ksnapshot-elasticsearch-my-ns-data-es-clust-bf000c81",
    ),
    (
        "elasticsearch",
        "production/elasticsearch-data",
        "ksnapshot-elasticsearch-production-elastics-f3bc644d",
    ),
]


@pytest.mark.parametrize(("type_", "key", "name"), VECTORS)
def test_names_are_those_of_0_6_0(type_: str, key: str, name: str) -> None:
    assert cronjob_name(type_, key) == name


def test_a_key_without_any_plain_character_is_called_owner() -> None:
    assert cronjob_name("mysql", "/") == "ksnapshot-mysql-owner-8a5edab2"


@given(st.text())
def test_every_name_is_one_that_kubernetes_takes(key: str) -> None:
    name = cronjob_name("elasticsearch", key)
    assert len(name) <= MAX_CRONJOB_NAME
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert "--" not in name


@given(st.text())
def test_what_verifies_is_named_after_what_dumps_and_told_apart_by_type(key: str) -> None:
    name = verify_cronjob_name(cronjob_name("mysql", key))
    assert len(name) <= MAX_CRONJOB_NAME
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert type_in(name) == "verify"
    assert name != verify_cronjob_name(cronjob_name("postgresql", key))


def test_the_name_of_what_verifies() -> None:
    dump = cronjob_name("mysql", "demo/database")
    assert verify_cronjob_name(dump) == "ksnapshot-verify-mysql-demo-database-a5bc95cc"


@given(st.sampled_from(["backup", "catalogue"]), st.text(min_size=1, max_size=300))
def test_a_jobs_name_is_a_label_and_tells_workloads_apart(verb: str, key: str) -> None:
    name = job_name(verb, key, "a1b2c3d")
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert name.startswith(f"ksnapshot-{verb}-")
    assert name.endswith(f"{cronjob_name('mysql', key)[-9:]}-a1b2c3d")


def test_a_jobs_name() -> None:
    assert job_name("backup", "demo/database", "x7k2p") == (
        "ksnapshot-backup-demo-database-c11184c0-x7k2p"
    )
