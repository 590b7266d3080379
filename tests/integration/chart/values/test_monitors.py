"""What values say of monitors, rules and the Service of the metrics."""

import json

import pytest

from tests.integration.chart.helm import HelmError, find, render

_ALL = (
    "--set=metrics.serviceMonitor.enabled=true,metrics.podMonitor.enabled=true",
    "--set=metrics.prometheusRule.enabled=true",
)
_KINDS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
_PLACES = {
    "ServiceMonitor": ("serviceMonitor", "endpoints"),
    "PodMonitor": ("podMonitor", "podMetricsEndpoints"),
}


def _made(*arguments: str) -> set[str]:
    return {item["kind"] for item in render(*_ALL, *arguments)} & _KINDS


@pytest.mark.parametrize("kind", _PLACES)
def test_monitors_scrape_as_values_say(kind: str) -> None:
    name, endpoints = _PLACES[kind]
    asked = {
        "interval": "45s",
        "scrapeTimeout": "20s",
        "relabelings": [{"action": "labeldrop", "regex": "pod"}],
        "metricRelabelings": [{"action": "drop", "regex": "python_.*"}],
    }
    values = [f"--set-json=metrics.{name}.{key}={json.dumps(asked[key])}" for key in asked]
    [endpoint] = find(render(*_ALL, *values), kind, "ksnapshot")["spec"][endpoints]
    assert endpoint.items() >= asked.items()
    [plain] = find(render(*_ALL), kind, "ksnapshot")["spec"][endpoints]
    assert not asked.keys() & plain.keys()


def test_kinds_that_a_cluster_lacks_may_be_left_out() -> None:
    has = [f"--api-versions=monitoring.coreos.com/v1/{kind}" for kind in sorted(_KINDS)]
    assert _made() == _KINDS
    assert _made("--set=metrics.renderMode=auto") == set()
    assert _made("--set=metrics.renderMode=auto", *has) == _KINDS
    assert _made("--set=metrics.renderMode=auto", has[0]) == {"PodMonitor"}
    assert _made("--set=metrics.renderMode=never", *has) == set()
    # The Service is Kubernetes' own.
    objects = render(*_ALL, "--set=metrics.renderMode=never")
    find(objects, "Service", "ksnapshot-metrics")


def test_alerts_are_evaluated_as_values_say() -> None:
    rule = find(
        render(*_ALL, "--set=metrics.prometheusRule.interval=2m"), "PrometheusRule", "ksnapshot"
    )
    assert [group["interval"] for group in rule["spec"]["groups"]] == ["2m"]


def test_an_alert_that_is_none_is_refused() -> None:
    with pytest.raises(
        HelmError, match=r"excludeRules has KsnapshotNoLeeder, and there is no such"
    ):
        render("--set=metrics.prometheusRule.excludeRules={KsnapshotNoLeeder}")


def test_a_service_of_two_stacks() -> None:
    stack = "metrics.service.ipFamilies={IPv6,IPv4}"
    objects = render(*_ALL, f"--set=metrics.service.ipFamilyPolicy=PreferDualStack,{stack}")
    spec = find(objects, "Service", "ksnapshot-metrics")["spec"]
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("PreferDualStack", ["IPv6", "IPv4"])
    plain = find(render(*_ALL), "Service", "ksnapshot-metrics")["spec"]
    assert not {"ipFamilyPolicy", "ipFamilies"} & plain.keys()
    with pytest.raises(HelmError, match=r"metrics\.service\.ipFamilyPolicy is SingleStack"):
        render(f"--set=metrics.service.ipFamilyPolicy=SingleStack,{stack}")
