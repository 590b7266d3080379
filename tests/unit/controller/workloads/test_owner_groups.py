"""Several owners that are one database: who belongs to it, and what happens as they come and go."""

import copy
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.manifests.ownership import members_of, objects_of
from controller.model import names
from controller.model.names import PREFIX, cronjob_name
from controller.model.objects import ObjectRef
from controller.model.status import ReadFailure, Reason, Rejected, State
from controller.model.view import NamespaceView
from controller.workloads.discovery import find_workloads
from controller.workloads.workload import Workload
from tests.fakes.kube_memory import Document, MemoryApi, unavailable
from tests.fakes.worlds import (
    CONTROL,
    NS,
    asks,
    cluster,
    namespace,
    one_pass,
    owner,
    pod,
    secret,
    service,
    settings,
    states,
)

LABEL = "clickhouse.altinity.com/chi"
SAYS = asks(type="clickhouse")
SHOP = cronjob_name("clickhouse", "demo/shop")
CRONJOB = ("CronJob", CONTROL, SHOP)
REPLICAS = ("0-0", "0-1", "1-0", "1-1")
ANNOTATED = f"{State.WANTED} {Reason.ANNOTATED}"


def member(
    name: str,
    *,
    chi: str = "",
    says: dict[str, str] | None = None,
    own: dict[str, str] | None = None,
    template: dict[str, str] | None = None,
    pods: int = 1,
) -> list[Document]:
    """A StatefulSet of ClickHouse and its pods; `chi` is what Altinity's operator marks both by."""
    values = SAYS if says is None else says
    labels = {"app": "clickhouse"} | ({LABEL: chi} if chi else {})
    of = owner(name, template=values if template is None else template, own=own)
    of["spec"]["template"]["metadata"]["labels"] = labels
    found = [pod(of, number, says=values) for number in range(pods)]
    for item in found:
        item["metadata"]["labels"] = labels
        item["spec"] = {"containers": [{"name": "clickhouse"}]}
    return [of, *found]


def replica(name: str, **how: Any) -> list[Document]:
    return member(f"chi-shop-{name}", chi="shop", **how)


def shop(*replicas: str) -> MemoryApi:
    items = [item for name in replicas or REPLICAS for item in replica(name)]
    client = service("clickhouse-shop", port=8123)
    client["spec"]["selector"] = {LABEL: "shop"}
    return cluster(namespace(NS), *items, client)


def leave(api: MemoryApi, name: str, *, pods: bool = True) -> None:
    api.remove("StatefulSet", NS, f"chi-shop-{name}")
    if pods:
        api.remove("Pod", NS, f"chi-shop-{name}-0")


def recorded(api: MemoryApi) -> list[str]:
    return [ref.name.removeprefix("chi-shop-") for ref in members_of(api.items[CRONJOB])]


def found(
    *items: Document, unread: dict[ObjectRef, ReadFailure] | None = None
) -> dict[str, Workload]:
    view = NamespaceView(
        name=NS,
        exists=True,
        pods=tuple(item for item in items if item["kind"] == "Pod"),
        services=(),
        owners={"StatefulSet": tuple(item for item in items if item["kind"] == "StatefulSet")},
        unread=unread or {},
    )
    return {item.owner.ref.name: item for item in find_workloads(view, settings()).items}


def group(name: str) -> dict[str, str]:
    return {f"{PREFIX}group": name}


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        # By the operator's label, by annotation on pods and template, and on the owner itself.
        ({"chi": "shop"}, "shop"),
        ({"says": SAYS | group("shop")}, "shop"),
        ({"own": group("shop")}, "shop"),
        ({"own": SAYS | group("shop"), "says": {}}, "shop"),
        # The annotation wins over the label, a pod's over its owner's; an empty one is none.
        ({"chi": "other", "own": group("shop")}, "shop"),
        ({"own": group("other"), "says": SAYS | group("shop")}, "shop"),
        ({"chi": "shop", "own": group("")}, "shop"),
        ({"own": group("my.shop")}, "my.shop"),
        # Neither.
        ({}, "db"),
        ({"chi": ""}, "db"),
        # Without pods the template says it.
        ({"chi": "shop", "pods": 0}, "shop"),
        ({"own": group("shop"), "pods": 0}, "shop"),
        # Running pods that agree count, else the template.
        ({"chi": "shop", "says": SAYS | group("old"), "template": SAYS | group("new")}, "old"),
        (
            {
                "chi": "shop",
                "says": SAYS | group("old"),
                "template": SAYS | group("new"),
                "pods": 0,
            },
            "new",
        ),
        # What is wrong is told of the group that it would be otherwise.
        ({"chi": "shop", "own": group("Not a name")}, "shop"),
        ({"own": group("Not a name")}, "db"),
        # The label means nothing of another engine, nor of what asks for no backup; the annotation
        # counts for every engine.
        ({"chi": "shop", "says": asks()}, "db"),
        ({"chi": "shop", "says": asks(type="nonsense")}, "db"),
        ({"says": asks() | group("shop")}, "shop"),
        ({"own": group("shop"), "says": asks(type="mysql")}, "shop"),
    ],
)
def test_an_owner_belongs_to_the_group_that_its_annotation_or_label_names(
    how: dict[str, Any], expected: str
) -> None:
    assert [*found(*member("db", **how))] == [expected]


def test_pods_of_one_owner_in_two_groups_go_by_its_template() -> None:
    of, *pods = member("db", chi="shop", pods=2, template=SAYS | group("new"))
    pods[1]["metadata"]["annotations"] = SAYS | group("new")
    assert [*found(of, *pods)] == ["new"]
    # Without one to be read there is nothing to go by.
    for item in pods:
        item["metadata"]["ownerReferences"][0] |= {"apiVersion": "apps.example.com/v1"}
    request = found(*pods)["db"].request
    assert isinstance(request, Rejected)
    assert request.reason is Reason.CONFLICTING_ANNOTATIONS


OTHER = asks(type="clickhouse", schedule="0 5 * * *")
INVALID = asks(type="clickhouse", schedule="never")


@pytest.mark.parametrize(
    ("second", "reason", "told"),
    [
        ({"says": OTHER}, Reason.CONFLICTING_ANNOTATIONS, "chi-shop-b against StatefulSet/chi-sh"),
        # What it will ask for as soon as it runs counts already.
        ({"says": OTHER, "pods": 0}, Reason.CONFLICTING_ANNOTATIONS, "StatefulSet/chi-shop-b"),
        ({"says": INVALID}, Reason.SCHEDULE_INVALID, "StatefulSet/chi-shop-b: the annotation"),
        ({"own": group("Not a name")}, Reason.ANNOTATION_INVALID, "StatefulSet/chi-shop-b: the"),
        # A rollout within one member: its template decides for it.
        ({"pods": 2, "template": OTHER}, None, ""),
        ({"pods": 0}, None, ""),
        ({"pods": 0, "says": {}}, None, ""),
        ({"says": asks(type="mysql")}, None, ""),
    ],
)
def test_members_have_to_agree_and_those_that_do_not_are_named(
    second: dict[str, Any], reason: Reason | None, told: str
) -> None:
    request = found(*replica("a"), *replica("b", **second))["shop"].request
    if reason is None:
        assert not isinstance(request, Rejected)
    else:
        assert isinstance(request, Rejected)
        assert request.reason is reason
        assert told in request.message


def test_of_many_members_that_disagree_some_are_named() -> None:
    many = [item for number in range(1, 9) for item in replica(f"{number}", says=OTHER)]
    request = found(*replica("0"), *many)["shop"].request
    assert isinstance(request, Rejected)
    assert "StatefulSet/chi-shop-5 and 3 more against StatefulSet/chi-shop-0" in request.message


def test_a_member_that_cannot_be_read_speaks_for_the_group() -> None:
    refs = [ObjectRef(kind="StatefulSet", name="chi-shop-b")]
    refs.append(ObjectRef(kind="Pod", name="chi-shop-b-0"))
    for ref in refs:
        unread = {ref: ReadFailure(Reason.FORBIDDEN, "403")}
        request = found(*replica("a"), *replica("b"), unread=unread)["shop"].request
        assert request == Rejected(Reason.FORBIDDEN, "StatefulSet/chi-shop-b: 403")


def test_the_pods_of_a_group_are_in_the_order_of_their_names() -> None:
    workload = found(*member("b", chi="shop", pods=2), *member("a", chi="shop"))["shop"]
    assert [item["metadata"]["name"] for item in workload.pods] == ["a-0", "b-0", "b-1"]
    assert [item.ref.name for item in workload.objects] == ["a", "b"]


def test_the_owners_of_a_group_have_one_cronjob_and_cost_no_more_reads() -> None:
    api, memory = shop(), PassState()
    assert states(one_pass(api, memory=memory)) == {"demo/shop": ANNOTATED}
    cronjob = api.items[CRONJOB]
    assert cronjob["metadata"]["annotations"][names.OWNER] == "demo/shop"
    assert [verb for verb, _, _ in api.writes] == ["create"]
    one_pass(api, memory=memory)
    api.reads.clear()
    one_pass(api, memory=memory)
    assert [name for _, _, name in api.reads if name] == [NS]


def test_a_group_that_grows_and_shrinks_keeps_its_cronjob() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    uid = api.items[CRONJOB]["metadata"]["uid"]
    for item in (*replica("2-0"), *replica("2-1")):
        api.put(item)
    one_pass(api, memory=memory, minutes=1)
    assert recorded(api) == [*REPLICAS, "2-0", "2-1"]
    for name in REPLICAS:
        leave(api, name)
    assert states(one_pass(api, memory=memory, minutes=2)) == {"demo/shop": ANNOTATED}
    assert recorded(api) == ["2-0", "2-1"]
    assert api.items[CRONJOB]["metadata"]["uid"] == uid
    assert [verb for verb, _, _ in api.writes] == ["create", "update", "update"]


def test_a_group_is_gone_when_every_member_is_past_the_grace_time() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    for name in REPLICAS[1:]:
        leave(api, name)
    for minutes in (10, 20, 30):
        one_pass(api, memory=memory, minutes=minutes)
    # Its pods linger for a while.
    leave(api, "0-0", pods=False)
    for minutes in (40, 45):
        assert states(one_pass(api, memory=memory, minutes=minutes)) == {
            "demo/shop": f"{State.GONE} {Reason.OWNER_NOT_FOUND}"
        }
    api.remove("Pod", NS, "chi-shop-0-0-0")
    one_pass(api, memory=memory, minutes=50)
    assert CRONJOB in api.items
    one_pass(api, memory=memory, minutes=55)
    assert CRONJOB not in api.items


def test_a_member_is_forgotten_only_when_it_is_surely_gone() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    leave(api, "1-1")
    real = api.get

    def get(resource: Any, space: str, name: str, *, since: str = "") -> Document:
        if name == "chi-shop-1-1":
            raise unavailable(name)
        return real(resource, space, name, since=since)

    api.get = get  # type: ignore[method-assign, assignment]
    for minutes in range(5):
        assert states(one_pass(api, memory=memory, minutes=minutes)) == {"demo/shop": ANNOTATED}
        assert recorded(api) == [*REPLICAS]
    api.get = real  # type: ignore[method-assign]
    one_pass(api, memory=memory, minutes=6)
    assert recorded(api) == [*REPLICAS[:3]]


def test_a_member_whose_pods_linger_is_recorded_but_has_no_say() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    api.writes.clear()
    api.put(replica("0-0", says=OTHER)[1])
    leave(api, "0-0", pods=False)
    assert states(one_pass(api, memory=memory, minutes=1)) == {"demo/shop": ANNOTATED}
    assert api.writes == []


def test_a_group_that_was_made_anew_keeps_its_cronjob_and_tells_it() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    before = {*members_of(api.items[CRONJOB]).values()}
    for name in REPLICAS:
        api.items["StatefulSet", NS, f"chi-shop-{name}"]["metadata"]["uid"] += "-2"
        reference = api.items["Pod", NS, f"chi-shop-{name}-0"]["metadata"]["ownerReferences"][0]
        reference["uid"] += "-2"
    one_pass(api, memory=memory, minutes=1)
    after = {*members_of(api.items[CRONJOB]).values()}
    assert after == {f"{uid}-2" for uid in before}


@pytest.mark.parametrize("kind", ["StatefulSet", "Pod", "Namespace", "Service"])
def test_no_failed_read_changes_a_group(kind: str) -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    before = copy.deepcopy(api.unshown())
    api.fail(kind, "" if kind == "Namespace" else NS, unavailable(kind))
    for minutes in range(0, 120, 10):
        one_pass(api, memory=memory, minutes=minutes)
        one_pass(api, minutes=minutes)
    assert api.unshown() == before


def test_a_group_at_zero_is_known_by_its_templates() -> None:
    api = shop()
    one_pass(api)
    for name in REPLICAS:
        api.remove("Pod", NS, f"chi-shop-{name}-0")
    api.writes.clear()
    for minutes in range(0, 120, 10):
        assert states(one_pass(api, minutes=minutes)) == {
            "demo/shop": f"{State.UNKNOWN} {Reason.NO_RUNNING_POD}"
        }
    assert api.writes == []


def test_owners_that_change_their_group_leave_the_old_cronjob_once_the_new_one_stands() -> None:
    api, memory = shop(), PassState()
    one_pass(api, memory=memory)
    for name in REPLICAS:
        for item in replica(name, says=SAYS | group("store")):
            api.put(item)
    found_states = [
        states(one_pass(api, memory=memory, minutes=minutes)) for minutes in (1, 2, 3, 20)
    ]
    assert [item.get("demo/shop") for item in found_states] == [
        f"{State.UNKNOWN} {Reason.GROUP_CHANGED}",
        *[f"{State.REPLACED} {Reason.GROUP_CHANGED}"] * 3,
    ]
    assert {item["demo/store"] for item in found_states} == {ANNOTATED}
    assert CRONJOB not in api.items


def test_a_member_that_asks_no_more_is_gone_with_the_others() -> None:
    api, memory = shop("0-0", "0-1"), PassState()
    one_pass(api, memory=memory)
    for item in replica("0-1", says={}):
        api.put(item)
    one_pass(api, memory=memory, minutes=1)
    assert recorded(api) == ["0-0"]
    for item in replica("0-0", says={}):
        api.put(item)
    for minutes in (2, 3, 20):
        assert states(one_pass(api, memory=memory, minutes=minutes)) == {
            "demo/shop": f"{State.GONE} {Reason.DISABLED}"
        }
    assert CRONJOB not in api.items


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Group", "StatefulSet/a=1 CloneSet.apps.kruise.io/b=", ["a", "b"]),
        ("StatefulSet", "StatefulSet/a=1", ["db"]),
        # What was edited tells nothing, least of all a path.
        ("Group", "", []),
        ("Group", "StatefulSet/a=1 nonsense", []),
        ("Group", "StatefulSet/../secrets/a=1", []),
        ("Group", "StatefulSet/..=1", []),
        ("Group", "StatefulSet/a?b=1", []),
    ],
)
def test_a_cronjob_tells_what_its_workload_is_made_of(
    kind: str, text: str, expected: list[str]
) -> None:
    values = {names.OWNER: "demo/db", names.OWNER_KIND: kind, names.MEMBERS: text}
    name = cronjob_name("clickhouse", "demo/db")
    cronjob = {"metadata": {"name": name, "annotations": values}}
    assert [ref.name for ref in objects_of(cronjob)] == expected


CRUNCHY = "postgres-operator.crunchydata.com/"
ECK = "elasticsearch.k8s.elastic.co/cluster-name"


def instance(name: str, *, says: dict[str, str] | None = None, **labels: str) -> list[Document]:
    """A StatefulSet of PostgreSQL with one pod: Crunchy's operator makes one of each instance."""
    marks = {"cluster": "hippo", "data": "postgres"} | labels
    values = asks() if says is None else says
    of = owner(name, template=values)
    of["spec"]["template"]["metadata"]["labels"] = {CRUNCHY + key: marks[key] for key in marks}
    made = pod(of, says=values)
    made["metadata"]["labels"] = of["spec"]["template"]["metadata"]["labels"]
    return [of, made]


def search(name: str, cluster: str) -> list[Document]:
    """A StatefulSet of Elasticsearch, as ECK makes one of each node set."""
    of, item = member(name, says=asks(type="elasticsearch"))
    for meta in (of["spec"]["template"]["metadata"], item["metadata"]):
        meta["labels"] = {ECK: cluster}
    return [of, item]


def test_several_instances_of_an_operator_are_one_database_and_one_keeps_its_name() -> None:
    both = found(*instance("hippo-a"), *instance("hippo-b"))
    assert [*both] == ["hippo"]
    assert [item.ref.name for item in both["hippo"].objects] == ["hippo-a", "hippo-b"]
    (single,) = found(*instance("hippo-a")).items()
    assert (single[0], single[1].group) == ("hippo-a", "hippo")
    # One that the annotation takes out is alone.
    other = asks() | group("mine")
    assert {*found(*instance("hippo-a"), *instance("hippo-b", says=other))} == {"hippo-a", "mine"}


def test_two_operators_that_give_one_name_group_nothing() -> None:
    items = [*instance("pg-a", cluster="logs"), *instance("pg-b", cluster="logs")]
    items += [*search("es-a", "logs"), *search("es-b", "logs")]
    assert [*found(*items)] == ["es-a", "es-b", "pg-a", "pg-b"]
    assert [*found(*items[4:])] == ["logs"]


def test_what_an_operator_makes_beside_the_database_is_none() -> None:
    helpers = [
        *instance("hippo-repo-host", data="pgbackrest"),
        *instance("hippo-pgbouncer", data="", role="pgbouncer"),
    ]
    assert [*found(*helpers)] == []
    assert [*found(*instance("hippo-a"), *instance("hippo-b"), *helpers)] == ["hippo"]
    alone = found(*instance("hippo-a"), *helpers)
    assert [*alone] == ["hippo-a"]


def hippo(*names_: str) -> list[Document]:
    return [item for name in names_ for item in instance(f"hippo-{name}")]


def test_a_database_keeps_its_cronjob_while_its_instances_are_replaced() -> None:
    client = service("hippo-primary")
    client["spec"]["selector"] = None
    api, memory = cluster(namespace(NS), *hippo("a", "b"), client, secret()), PassState()
    one_pass(api, memory=memory)
    name = cronjob_name("postgresql", "demo/hippo")
    uid = api.items["CronJob", CONTROL, name]["metadata"]["uid"]
    for kind, gone in (("StatefulSet", "hippo-a"), ("Pod", "hippo-a-0")):
        api.remove(kind, NS, gone)
    for minutes in (1, 10, 30):
        assert states(one_pass(api, memory=memory, minutes=minutes)) == {"demo/hippo": ANNOTATED}
    for item in hippo("c"):
        api.put(item)
    assert states(one_pass(api, memory=memory, minutes=40)) == {"demo/hippo": ANNOTATED}
    assert [key for key in api.items if key[0] == "CronJob"] == [("CronJob", CONTROL, name)]
    assert api.items["CronJob", CONTROL, name]["metadata"]["uid"] == uid
    assert [ref.name for ref in members_of(api.items["CronJob", CONTROL, name])] == [
        "hippo-b",
        "hippo-c",
    ]
    # Its last instance at zero is no other database either.
    api.remove("Pod", NS, "hippo-b-0")
    api.remove("Pod", NS, "hippo-c-0")
    assert states(one_pass(api, memory=memory, minutes=50)) == {
        "demo/hippo": f"{State.UNKNOWN} {Reason.NO_RUNNING_POD}"
    }


def test_cronjobs_of_single_instances_give_way_to_that_of_the_database() -> None:
    client = service("hippo-primary")
    client["spec"]["selector"] = None
    api, memory = cluster(namespace(NS), *hippo("a"), client, secret()), PassState()
    assert states(one_pass(api, memory=memory)) == {"demo/hippo-a": ANNOTATED}
    for item in hippo("b"):
        api.put(item)
    one_pass(api, memory=memory, minutes=1)
    for minutes in (2, 10, 30):
        made = states(one_pass(api, memory=memory, minutes=minutes))
        assert made["demo/hippo"] == ANNOTATED
    cronjobs = [key for key in api.items if key[0] == "CronJob"]
    assert cronjobs == [("CronJob", CONTROL, cronjob_name("postgresql", "demo/hippo"))]
