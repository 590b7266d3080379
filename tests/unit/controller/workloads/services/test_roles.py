import pytest

from controller.workloads.services.roles import (
    ServerRole,
    cluster_names,
    is_of_proxy,
    names_by_role,
    role_of,
    role_of_name,
    shared_labels,
)

PRIMARY, REPLICA = ServerRole.PRIMARY, ServerRole.REPLICA


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("cnpg.io/instanceRole", "primary", PRIMARY),
        ("cnpg.io/instanceRole", "replica", REPLICA),
        ("cnpg.io/instanceRole", "unhealthy", REPLICA),
        ("cnpg.io/podRole", "instance", None),
        ("cnpg.io/jobRole", "initdb", None),
        ("spilo-role", "master", PRIMARY),
        ("spilo-role", "replica", REPLICA),
        ("spilo-role", "standby_leader", REPLICA),
        ("role", "leader", PRIMARY),
        ("role", "primary", PRIMARY),
        ("role", "mariadb", None),
        ("postgres-operator.crunchydata.com/role", "master", PRIMARY),
        ("postgres-operator.crunchydata.com/role", "replica", REPLICA),
        ("postgres-operator.crunchydata.com/role", "pgbouncer", None),
        ("mysql.oracle.com/cluster-role", "PRIMARY", PRIMARY),
        ("mysql.oracle.com/cluster-role", "SECONDARY", REPLICA),
        ("mysql.percona.com/primary", "true", PRIMARY),
        ("k8s.mariadb.com/role", "replica", REPLICA),
        ("moco.cybozu.com/role", "primary", PRIMARY),
        ("kubedb.com/role", "standby", REPLICA),
        ("kubeblocks.io/role", "follower", REPLICA),
        ("replicationRole", "primary", PRIMARY),
        ("pg-role", "standby", REPLICA),
        ("app.kubernetes.io/component", "primary", PRIMARY),
        ("app.kubernetes.io/component", "read", REPLICA),
        ("app.kubernetes.io/component", "secondary", REPLICA),
        ("app.kubernetes.io/component", "database", None),
        ("component", "slave", REPLICA),
        # A replica's word counts in other labels, too; names are free.
        ("tier", "replica", REPLICA),
        ("tier", "primary", None),
        ("tier", "read", None),
        ("app", "replica", None),
        ("app.kubernetes.io/instance", "standby", None),
        ("cnpg.io/cluster", "primary", None),
        ("statefulset.kubernetes.io/pod-name", "replica", None),
        ("app.kubernetes.io/name", "postgresql-replica", None),
    ],
)
def test_the_role_that_a_label_names(key: str, text: str, expected: ServerRole | None) -> None:
    assert role_of({"app": "db", key: text}) is expected


def test_a_replica_s_word_wins() -> None:
    assert role_of({"role": "primary", "app.kubernetes.io/component": "read"}) is REPLICA
    assert role_of({}) is None


def test_what_all_pods_of_a_database_share() -> None:
    labels = {"app": "db", "role": "master", "app.kubernetes.io/component": "haproxy"}
    assert shared_labels(labels) == {"app": "db"}
    assert is_of_proxy(labels)
    assert not is_of_proxy({"app": "haproxy"})


def test_the_names_of_clusters() -> None:
    labels = {"cluster-name": "a", "cnpg.io/cluster": "b", "stackgres.io/cluster_name": "c"}
    assert cluster_names(labels | {"app": "d"}) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pg-rw", PRIMARY),
        ("pg-ro", REPLICA),
        ("pg-r", REPLICA),
        ("mariadb-primary", PRIMARY),
        ("mariadb-secondary", REPLICA),
        ("acid-shop-repl", REPLICA),
        ("pg", None),
        ("primary", None),
        ("acid-shop-config", None),
    ],
)
def test_the_role_that_a_service_s_name_says(name: str, expected: ServerRole | None) -> None:
    assert role_of_name(name) is expected


def test_the_names_that_operators_give_come_best_ones_first() -> None:
    known = names_by_role({"hippo"})
    assert next(iter(known)) == "hippo-primary"
    assert [*known].index("hippo") < [*known].index("hippo-ha")
    assert known["hippo-replicas"] is REPLICA
    assert known["hippo"] is known["hippo-ha"] is PRIMARY
