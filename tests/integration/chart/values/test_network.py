"""Network policies as helm renders them; nothing here sees a packet."""

import ipaddress
import json
from typing import Any

import pytest

from controller.manifests.ownership import LABELS
from controller.model import names
from tests.integration.chart.helm import HelmError, find, pod_template, render

_ON = "--set=networkPolicy.enabled=true"
_OF = ("controller", "dumps", "jobs")


def _policies(*arguments: str) -> dict[str, dict[str, Any]]:
    objects = render(_ON, *arguments)
    return {of: find(objects, "NetworkPolicy", f"ksnapshot-{of}")["spec"] for of in _OF}


def _tcp(*ports: int) -> list[dict[str, object]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def test_nothing_is_closed_unasked() -> None:
    assert "NetworkPolicy" not in {item["kind"] for item in render()}
    assert "NetworkPolicy" not in {item["kind"] for item in render("--set=networkPolicy=null")}


def test_each_policy_is_about_the_pods_that_it_names() -> None:
    objects = render(_ON, "--set=prune.enabled=true,clusterName=c")
    policies = _policies()
    selectors = {of: policy["podSelector"]["matchLabels"] for of, policy in policies.items()}
    pod = pod_template(find(objects, "Deployment", "ksnapshot"))["metadata"]["labels"]
    assert selectors["controller"].items() <= pod.items()
    assert selectors["dumps"] == LABELS
    assert selectors["jobs"] == {names.PART_OF_LABEL: names.PART_OF}
    pruning = pod_template(find(objects, "CronJob", "ksnapshot-prune"))["metadata"]["labels"]
    assert selectors["jobs"].items() <= pruning.items()
    for of in ("dumps", "jobs"):
        assert not selectors[of].items() <= pod.items()
        assert "ingress" not in policies[of]
        assert policies[of]["policyTypes"] == ["Ingress", "Egress"]


def test_every_value_is_in_the_rules_of_those_whom_it_is_about() -> None:
    peers = {
        name: [{"ipBlock": {"cidr": f"192.0.2.{at}/32"}}]
        for at, name in enumerate(("dns", "apiServer", "databases", "store", "identity"), start=1)
    }
    scrapers = [{"namespaceSelector": {"matchLabels": {"team": "watch"}}}]
    further = [{"ports": [{"protocol": "TCP", "port": 3128}]}]
    values = {
        **peers,
        "dnsPorts": [1053],
        "apiServerPorts": [16443],
        "databasePorts": [15432],
        "storePorts": [19000],
        "metricsFrom": scrapers,
        "extraEgress": further,
    }
    policies = _policies(
        *(f"--set-json=networkPolicy.{name}={json.dumps(value)}" for name, value in values.items())
    )
    names_server = {
        "ports": [{"protocol": "UDP", "port": 1053}, *_tcp(1053)],
        "to": peers["dns"],
    }
    assert policies["controller"]["egress"] == [
        names_server,
        {"ports": _tcp(16443), "to": peers["apiServer"]},
        *further,
    ]
    assert policies["controller"]["ingress"] == [{"ports": _tcp(8080), "from": scrapers}]
    for of in ("dumps", "jobs"):
        assert policies[of]["egress"] == [
            names_server,
            {"ports": _tcp(15432), "to": peers["databases"]},
            {"ports": _tcp(19000), "to": peers["store"]},
            {"to": peers["identity"]},
            *further,
        ]


def _has(peer: dict[str, Any], address: str) -> bool:
    block = peer.get("ipBlock", {})
    there, away = (
        [ipaddress.ip_address(address) in ipaddress.ip_network(cidr) for cidr in cidrs]
        for cidrs in ([block["cidr"]] if block else [], block.get("except", []))
    )
    return any(there) and not any(away)


def _lets(policy: dict[str, Any], address: str, port: int) -> bool:
    """Whether the rules of a policy let TCP through to an address that is no pod's."""
    return any(
        "to" not in rule or any(_has(peer, address) for peer in rule["to"])
        for rule in policy["egress"]
        if "ports" not in rule or port in {one["port"] for one in rule["ports"]}
    )


_IDENTITY = (
    "169.254.169.254",
    "169.254.169.252",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
)


@pytest.mark.parametrize("address", _IDENTITY)
@pytest.mark.parametrize("port", [80, 443, 9000, 5432])
def test_without_an_identity_of_a_cloud_its_servers_are_closed(address: str, port: int) -> None:
    given, none = _policies(), _policies("--set-json=networkPolicy.identity=[]")
    for of in ("dumps", "jobs"):
        assert _lets(given[of], address, port)
        assert not _lets(none[of], address, port)
        assert _lets(none[of], "198.51.100.7", port)
        assert _lets(none[of], "2001:db8::7", port)


@pytest.mark.parametrize(
    ("ports", "peers"),
    [("apiServerPorts", "apiServer"), ("databasePorts", "databases"), ("storePorts", "store")],
)
def test_all_ports_of_everybody_are_not_let_through_by_an_empty_list(
    ports: str, peers: str
) -> None:
    empty = f"--set-json=networkPolicy.{ports}=[]"
    with pytest.raises(HelmError, match=rf"networkPolicy\.{ports} and networkPolicy\.{peers} are"):
        render(_ON, empty)
    assert "NetworkPolicy" not in {item["kind"] for item in render(empty)}
    rule: dict[str, Any] = {"to": [{"namespaceSelector": {}}]}
    policies = _policies(empty, f"--set-json=networkPolicy.{peers}={json.dumps(rule['to'])}")
    of = "controller" if peers == "apiServer" else "dumps"
    assert rule in policies[of]["egress"]


def test_the_pod_of_helm_test_reaches_the_api_server_and_no_more() -> None:
    objects = render(_ON)
    pod = find(objects, "Pod", "ksnapshot-test")["metadata"]["labels"]
    policy = find(objects, "NetworkPolicy", "ksnapshot-test")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod.items()
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == _policies()["controller"]["egress"]
    others = [item["metadata"]["name"] for item in render(_ON, "--set=helmTest.enabled=false")]
    assert "ksnapshot-test" not in others


def test_drills_have_their_own_policy_alone_where_there_is_one() -> None:
    policy = _policies("--set=drill.networkPolicy=true")["jobs"]["podSelector"]
    assert policy["matchExpressions"] == [
        {"key": names.COMPONENT_LABEL, "operator": "NotIn", "values": [names.DRILL]}
    ]
    assert "matchExpressions" not in _policies()["jobs"]["podSelector"]


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        ("statusPage.listen=0.0.0.0:8081", [8080, 8081]),
        ("statusPage.listen=[::]:9001,controller.httpPort=9000", [9000, 9001]),
        ("statusPage.listen=127.0.0.1:8081", [8080]),
        ("statusPage.listen=none", [8080]),
    ],
)
def test_only_what_listens_for_others_is_let_in(values: str, ports: list[int]) -> None:
    rules = _policies(f"--set={values}")["controller"]["ingress"]
    assert [port["port"] for rule in rules for port in rule["ports"]] == ports


def test_notifications_may_go_anywhere() -> None:
    assert {} not in _policies()["controller"]["egress"]
    policies = _policies("--set=notifications.existingSecret=hooks")
    assert {} in policies["controller"]["egress"]
    assert {} not in policies["dumps"]["egress"]


def test_a_peer_that_is_misspelt_is_refused() -> None:
    with pytest.raises(HelmError, match="/networkPolicy/store/0"):
        render(_ON, '--set-json=networkPolicy.store=[{"ipBlocks":{"cidr":"192.0.2.0/24"}}]')
