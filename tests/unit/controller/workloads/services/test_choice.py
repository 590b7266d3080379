from typing import Any

import pytest

from controller.model.status import Reason, Rejected
from controller.workloads.services.candidates import ServiceSearch
from controller.workloads.services.choice import choose_service, named_service
from controller.workloads.services.roles import ServerRole
from tests.fakes.worlds import (
    CONTROL,
    DB,
    NS,
    Document,
    cluster,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    service,
)


def told(found: str | Rejected) -> str | Reason:
    return found.reason if isinstance(found, Rejected) else found


OWNER = owner()
PODS = (pod(OWNER, 0), pod(OWNER, 1))
HEADLESS = service("headless", clusterIP="None")


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ([service()], "db"),
        ([HEADLESS], "headless"),
        ([HEADLESS, service()], "db"),
        ([service(port=6432)], "db"),
        ([service(), service("metrics", port=9187)], "db"),
        ([HEADLESS, service("metrics", port=9187)], "headless"),
        ([service("udp", ports=[{"port": 5432, "protocol": "UDP"}]), service()], "db"),
        ([], Reason.SERVICE_MISSING),
        ([service(app="other")], Reason.SERVICE_MISSING),
        ([service(selector={})], Reason.SERVICE_MISSING),
        ([service(), service("ro")], Reason.SERVICE_AMBIGUOUS),
        ([HEADLESS, service(), service("ro")], Reason.SERVICE_AMBIGUOUS),
    ],
)
@pytest.mark.parametrize("read_from", [None, *ServerRole])
def test_the_service(
    services: list[Document], expected: str | Reason, read_from: ServerRole | None
) -> None:
    found = choose_service(tuple(services), PODS, 5432, ServiceSearch(read_from=read_from))
    if read_from is ServerRole.REPLICA and isinstance(expected, Reason):
        assert isinstance(found, Rejected)
    else:
        assert told(found) == expected


def test_one_that_matches_some_pods_counts_only_on_the_port_and_when_none_matches_all() -> None:
    mixed = (pod(OWNER, 0, app="db"), pod(OWNER, 1, app="replica"))
    primary, metrics = service("primary"), service("metrics", port=9187)
    assert choose_service((primary, metrics), mixed, 5432) == "primary"
    assert isinstance(choose_service((metrics,), mixed, 5432), Rejected)


def test_a_named_service_only_has_to_be_there() -> None:
    assert named_service((service(app="other"), HEADLESS), "db") == "db"
    found = named_service((HEADLESS,), "db")
    assert isinstance(found, Rejected)
    assert found.reason is Reason.SERVICE_MISSING
    assert "'db'" in found.message


def test_the_port_that_is_asked_for_is_the_one_that_is_preferred() -> None:
    assert choose_service((service(), service("pooler", port=6432)), PODS, 6432) == "pooler"


def labelled(*labels: dict[str, str]) -> tuple[Document, ...]:
    """Pods of one owner with these labels."""
    pods = [pod(OWNER, number) for number in range(len(labels))]
    for item, own in zip(pods, labels, strict=True):
        item["metadata"]["labels"] = own
    return tuple(pods)


def selecting(name: str, selector: dict[str, str] | None = None, **how: Any) -> Document:
    """A Service with this selector, or with none and `labels` or `owner` to know it by."""
    labels, maker = how.pop("labels", None), how.pop("owner", None)
    made = service(name, **how)
    made["spec"]["selector"] = selector
    if labels:
        made["metadata"]["labels"] = labels
    if maker:
        made["metadata"]["ownerReferences"] = [{"uid": maker}]
    return made


def roles(key: str, *words: str, **common: str) -> tuple[Document, ...]:
    return labelled(*({**common, key: word} for word in words))


def choose(
    services: list[Document],
    pods: tuple[Document, ...],
    read_from: ServerRole = ServerRole.PRIMARY,
    *databases: str,
    port: int = 5432,
    **search: Any,
) -> str | Rejected:
    found = ServiceSearch(read_from=read_from, databases=frozenset(databases), **search)
    return choose_service(tuple(services), pods, port, found)


BITPOKE = {"app.kubernetes.io/name": "mysql", "mysql.presslabs.org/cluster": "shop"}
KUBEDB = {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "kubedb.com"}
KUBEBLOCKS = {"app.kubernetes.io/instance": "shop", "apps.kubeblocks.io/component-name": "mysql"}
MOCO = {"app.kubernetes.io/name": "mysql", "app.kubernetes.io/instance": "shop"}
PERCONA = {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": "database"}


@pytest.mark.parametrize(
    ("key", "words", "common", "services", "expected"),
    [
        # Bitpoke: a Service of all healthy nodes beside the master's and the headless one.
        (
            "role",
            ("replica", "master"),
            {**BITPOKE, "healthy": "yes"},
            [
                selecting("shop-mysql", {**BITPOKE, "healthy": "yes"}),
                selecting("shop-mysql-master", {**BITPOKE, "role": "master"}),
                selecting("shop-mysql-replicas", {**BITPOKE, "role": "replica", "healthy": "yes"}),
                selecting("mysql", {"app.kubernetes.io/name": "mysql"}, clusterIP="None"),
            ],
            ("shop-mysql-master", "shop-mysql-replicas"),
        ),
        (
            "kubedb.com/role",
            ("primary", "standby"),
            KUBEDB,
            [
                selecting("shop", {**KUBEDB, "kubedb.com/role": "primary"}),
                selecting("shop-pods", KUBEDB, clusterIP="None"),
                selecting("shop-standby", {**KUBEDB, "kubedb.com/role": "standby"}),
            ],
            ("shop", "shop-standby"),
        ),
        (
            "kubeblocks.io/role",
            ("follower", "leader", "follower"),
            KUBEBLOCKS,
            [
                selecting("shop-mysql", {**KUBEBLOCKS, "kubeblocks.io/role": "leader"}),
                selecting("shop-mysql-headless", KUBEBLOCKS, clusterIP="None"),
                selecting("shop-mysql-readonly", {**KUBEBLOCKS, "kubeblocks.io/role": "follower"}),
            ],
            ("shop-mysql", "shop-mysql-readonly"),
        ),
        (
            "moco.cybozu.com/role",
            ("replica", "primary"),
            MOCO,
            [
                selecting("moco-shop", MOCO, clusterIP="None"),
                selecting("moco-shop-primary", {**MOCO, "moco.cybozu.com/role": "primary"}),
                selecting("moco-shop-replica", {**MOCO, "moco.cybozu.com/role": "replica"}),
            ],
            ("moco-shop-primary", "moco-shop-replica"),
        ),
        (
            "mysql.percona.com/primary",
            ("true", "false"),
            PERCONA,
            [
                selecting("shop-mysql", PERCONA, clusterIP="None"),
                selecting("shop-mysql-primary", {**PERCONA, "mysql.percona.com/primary": "true"}),
            ],
            ("shop-mysql-primary", None),
        ),
        # Kubegres: its labels have no domain.
        (
            "replicationRole",
            ("primary", "replica"),
            {"app": "shop"},
            [
                selecting("shop", {"app": "shop", "replicationRole": "primary"}, clusterIP="None"),
                selecting(
                    "shop-replica", {"app": "shop", "replicationRole": "replica"}, clusterIP="None"
                ),
            ],
            ("shop", "shop-replica"),
        ),
    ],
)
def test_operators_tell_primary_and_replicas_by_labels(
    key: str,
    words: tuple[str, ...],
    common: dict[str, str],
    services: list[Document],
    expected: tuple[str, str | None],
) -> None:
    pods = roles(key, *words, **common)
    primary, replica = expected
    assert choose(services, pods) == primary
    assert choose(services[::-1], pods) == primary
    found = choose(services, pods, ServerRole.REPLICA)
    assert (None if isinstance(found, Rejected) else found) == replica


PATRONI = {"application": "patroni", "cluster-name": "shop"}


@pytest.mark.parametrize(
    "services",
    [
        # Patroni's own example, and its chart.
        [selecting("shop"), selecting("shop-config", clusterIP="None")],
        # The chart of TimescaleDB, whose Service has another name than the cluster.
        [selecting("timescale", labels={"cluster-name": "shop", "role": "master"})],
        # StackGres.
        [selecting("shop"), selecting("shop-primary"), selecting("shop-replicas")],
        # Crunchy's, under another name than any that is known, but the same owner.
        [selecting("main-master", owner="uid-of-the-cluster"), selecting("x", owner="other")],
    ],
)
def test_a_service_without_selector_is_the_primary_s_by_name_label_or_owner(
    services: list[Document],
) -> None:
    replicas = selecting("shop-repl", {**PATRONI, "role": "replica"})
    pods = roles("role", "replica", "master", **PATRONI)
    makers = frozenset({"uid-of-the-cluster"})
    found = choose([*services, replicas], pods, ServerRole.PRIMARY, "shop", makers=makers)
    assert found == {"main-master": "main-master", "timescale": "timescale"}.get(
        services[0]["metadata"]["name"],
        "shop-primary" if len(services) == 3 else "shop",
    )
    assert choose([*services, replicas], pods, ServerRole.REPLICA, "shop") == "shop-repl"


@pytest.mark.parametrize(
    "stranger",
    [
        # Somebody else's, of another port, of nobody's role, of another database.
        selecting("external"),
        selecting("shop", port=6379),
        selecting("shop-config"),
        selecting("other", labels={"cluster-name": "other", "role": "master"}),
        selecting("external", labels={"app.kubernetes.io/managed-by": "Helm", "role": "master"}),
    ],
)
def test_not_every_service_without_selector_is_the_primary_s(stranger: Document) -> None:
    pods = roles("role", "replica", "master", **PATRONI)
    found = choose([stranger], pods, ServerRole.PRIMARY, "shop")
    assert isinstance(found, Rejected)
    assert found.reason is Reason.SERVICE_MISSING
    assert ("shop-config" in found.message) is (stranger["metadata"]["name"] == "shop-config")


def test_what_0_6_0_chose_is_chosen_still() -> None:
    # The only Service that selects all pods: roles of Services that select nothing do not count.
    pods = labelled({"app": "db"}, {"app": "db"})
    leftover = selecting("db-master", {"app": "db", "role": "master"})
    services = [service(), leftover, selecting("db-primary")]
    assert choose(services, pods, ServerRole.PRIMARY, "db") == "db"
    # Patroni's word for the primary changed, and a Service was left behind.
    renamed = roles("role", "primary", app="db")
    assert choose([service(), leftover], renamed) == "db"
    # A single pod, whoever else calls himself the primary's.
    one = labelled({"app": "db"})
    assert choose([HEADLESS, selecting("db")], one, ServerRole.PRIMARY, "db") == "headless"


def test_a_service_that_leads_to_replicas_in_turn_is_not_taken() -> None:
    alone = roles("role", "master", app="db")
    neighbours = roles("role", "master", "replica", app="db")
    every = service("every")
    assert choose([every], alone) == "every"
    found = choose([every], alone, neighbours=neighbours)
    assert told(found) == Reason.REPLICAS_ONLY
    assert told(choose([every], neighbours)) == Reason.REPLICAS_ONLY


@pytest.mark.parametrize("read_from", [None, ServerRole.PRIMARY])
def test_one_of_its_own_before_one_that_it_shares_with_another_database(
    read_from: ServerRole | None,
) -> None:
    both = labelled({"app": "db", "of": "orders"}, {"app": "db", "of": "users"})
    orders = both[:1]
    shared = selecting("database", {"app": "db"})
    own = selecting("orders", {"app": "db", "of": "orders"})
    own["spec"]["clusterIP"] = "None"
    metrics = selecting("metrics", {"app": "db", "of": "orders"})
    metrics["spec"]["ports"] = [{"port": 9187}]
    search = ServiceSearch(read_from=read_from, neighbours=both)
    assert choose_service((shared, own, metrics), orders, 5432, search) == "orders"
    assert choose_service((shared, metrics), orders, 5432, search) == "database"


def test_what_is_not_chosen_is_named_with_the_cure() -> None:
    replicas = roles("role", "replica", "replica", app="db")
    services = [
        selecting("db-ro", {"app": "db", "role": "replica"}),
        selecting("db-rw", {"app": "db", "role": "primary"}),
    ]
    found = choose(services, replicas)
    assert isinstance(found, Rejected)
    assert found.reason is Reason.REPLICAS_ONLY
    for word in ("db-ro", "db-rw", "ksnapshot.clickandmortar.fr/read-from", "fr/service"):
        assert word in found.message
    assert choose(services, replicas, ServerRole.REPLICA) == "db-ro"


def test_replicas_that_an_owner_of_their_own_runs_are_read_when_that_is_asked_for() -> None:
    pods = labelled({"app": "db-replica"}, {"app": "db-replica"})
    assert choose([service(app="db-replica")], pods, ServerRole.REPLICA) == "db"


def test_several_services_of_the_primary_are_one() -> None:
    primary = {"app": "db", "role": "primary"}
    services = [
        selecting("db-external", primary),
        selecting("db", primary),
        selecting("db-hl", primary, clusterIP="None"),
        selecting("db-metrics", primary, port=9187),
    ]
    assert choose(services, roles("role", "primary", app="db")) == "db"


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        # 0.6.0 knew the only Service of a single pod.
        (1, "shop-pods"),
        (3, "shop-router"),
    ],
)
def test_a_proxy_before_a_headless_service_of_several_pods(pods: int, expected: str) -> None:
    found = labelled(*[{"db.example.io/cluster": "shop", "component": "server"}] * pods)
    services = [
        selecting("shop-pods", {"component": "server"}, clusterIP="None", port=3306),
        selecting(
            "shop-router", {"db.example.io/cluster": "shop", "component": "router"}, port=3306
        ),
        selecting(
            "shop-router-replicas",
            {"db.example.io/cluster": "shop", "component": "router"},
            port=3306,
        ),
        selecting("other", {"db.example.io/cluster": "other", "component": "router"}, port=3306),
    ]
    assert choose(services, found, port=3306) == expected


def test_two_services_of_an_operator_with_one_selector_are_one() -> None:
    selector = {"example.io/cluster": "db"}
    pods = labelled(selector, selector)
    pair = (selecting("db-internal-http", selector), selecting("db-http", selector))
    assert choose_service(pair, pods, 5432) == "db-http"
    # Of a Service of unready pods it is known to be another one.
    unready = selecting("db", selector, publishNotReadyAddresses=True)
    assert choose_service((*pair, unready), pods, 5432) == "db-http"
    shard = {**selector, "example.io/shard": "2"}
    found = choose_service((pair[0], selecting("db-2", shard)), labelled(shard), 5432)
    assert told(found) == Reason.SERVICE_AMBIGUOUS


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("db", {}),
        ("timescale", {"labels": {"cluster-name": "shop", "role": "master"}}),
        ("of-the-operator-primary", {"owner": "cluster-shop"}),
    ],
)
def test_a_pass_finds_services_without_a_selector(name: str, how: dict[str, Any]) -> None:
    above = owner("shop", kind="Cluster", api="example.io/v1")
    of = owner(above=above)
    pods = roles("role", "replica", "master", **PATRONI)
    for item in pods:
        item["metadata"]["ownerReferences"][0]["uid"] = of["metadata"]["uid"]
    of["spec"]["template"]["metadata"]["annotations"] = pods[0]["metadata"]["annotations"]
    replicas = selecting("shop-repl", {**PATRONI, "role": "replica"})
    others = [selecting(f"other-{number}") for number in range(3)]
    found = selecting(name, **how)
    api = cluster(namespace(NS), of, *pods, replicas, *others, found, secret())
    one_pass(api)
    template = api.items["CronJob", CONTROL, DB]["spec"]["jobTemplate"]["spec"]["template"]
    (job,) = template["spec"]["containers"]
    hosts = [item["value"] for item in job["env"] if item["name"] == "POSTGRESQL_HOST"]
    assert hosts == [f"{name}.demo.svc.cluster.local"]


@pytest.mark.parametrize("read_from", [None, *ServerRole])
def test_an_external_name_is_never_found(read_from: ServerRole | None) -> None:
    # Its selector is ignored by Kubernetes, and it stands for a host of anybody's choice.
    search = ServiceSearch(read_from=read_from, databases=frozenset({"db"}))
    for selector in ({"app": "db"}, {}):
        outside = service("db-ro", type="ExternalName", externalName="a.test", selector=selector)
        assert isinstance(choose_service((outside,), PODS, 5432, search), Rejected)
        if read_from is not ServerRole.REPLICA:
            assert choose_service((outside, service("main")), PODS, 5432, search) == "main"
