"""What the chart gives Prometheus: its monitors, and the alerts, by Prometheus' own tool."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.kube.client import CallCounts
from controller.loop.pass_state import PassState
from controller.report.metrics.families import FAMILIES
from controller.report.metrics.family import Kind
from controller.report.metrics.metrics import Metrics
from controller.runs.causes.failure_causes import FailureCause
from dumpers.runtime.errors import DRILL_VERDICTS
from tests.fakes.worlds import DB, cluster, job, one_pass, settings, small
from tests.integration.chart.helm import CHART, HelmError, find, render
from tests.testbed.toolchain import packages
from tests.testbed.toolchain.require import require

_ALL = (
    "--set=metrics.prometheusRule.enabled=true",
    "--set=metrics.serviceMonitor.enabled=true",
    "--set=metrics.podMonitor.enabled=true",
)
_HOUR, _DAY = 3600, 86400
# Minutes after which alerts are looked at; all of them have fired by then.
_AT = 60
_NOW = _AT * 60


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return packages.unpacked("prometheus") / "usr" / "bin" / "promtool"
    except packages.MissingPackageError as error:
        require(None, str(error))
        raise


def _rules(*arguments: str) -> list[dict[str, Any]]:
    objects = render("--set=metrics.prometheusRule.enabled=true", *arguments)
    groups = find(objects, "PrometheusRule", "ksnapshot")["spec"]["groups"]
    rules: list[dict[str, Any]] = groups[0]["rules"]
    return rules


def test_nothing_is_made_unasked() -> None:
    objects = render()
    kinds = {item["kind"] for item in objects}
    assert not {"Service", "ServiceMonitor", "PodMonitor", "PrometheusRule"} & kinds
    template = find(objects, "Deployment", "ksnapshot")["spec"]["template"]
    assert "annotations" not in template["metadata"]


def test_monitors_find_the_controller_and_keep_our_labels() -> None:
    objects = render(*_ALL, "--set=controller.httpPort=9000", "--set=nameOverride=dumps")
    pod = find(objects, "Deployment", "ksnapshot-dumps")["spec"]["template"]
    labels, ports = pod["metadata"]["labels"], pod["spec"]["containers"][0]["ports"]
    service = find(objects, "Service", "ksnapshot-dumps-metrics")
    assert service["spec"]["selector"].items() <= labels.items()
    [port] = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (9000, ports[0]["name"])
    monitor = find(objects, "ServiceMonitor", "ksnapshot-dumps")["spec"]
    [endpoint] = monitor["endpoints"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert (endpoint["port"], endpoint["honorLabels"]) == (port["name"], True)
    monitor = find(objects, "PodMonitor", "ksnapshot-dumps")["spec"]
    [endpoint] = monitor["podMetricsEndpoints"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert (endpoint["port"], endpoint["honorLabels"]) == (ports[0]["name"], True)


def test_a_scrape_by_annotations_is_one_value() -> None:
    objects = render("--set=metrics.annotations=true", "--set=podAnnotations.team=a")
    template = find(objects, "Deployment", "ksnapshot")["spec"]["template"]
    assert template["metadata"]["annotations"] == {
        "team": "a",
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": "8080",
    }


def test_values_of_an_older_release_bring_none_of_it() -> None:
    assert {item["kind"] for item in render("--set=metrics=null")} == {
        item["kind"] for item in render()
    }


def test_what_the_controller_tells_is_what_prometheus_takes(promtool: Path) -> None:
    api, memory, calls = cluster(*small()), PassState(), CallCounts()
    calls.count("GET", "", lambda: (200, {}, bytearray()))
    metrics = Metrics(settings(), calls)
    one_pass(api, memory=memory)
    run = job(api.items["CronJob", "ksnapshot", DB], ended="2026-01-01T03:00:09Z")
    api.put(run)
    ended = one_pass(api, memory=memory, minutes=1)
    metrics.update(replace(ended, restores=(("failed", "TargetRefused"),)), {}, 1.0)
    told = metrics.exposition().text
    for name in ("runs_total", "restore_runs_total", "api_requests_total", "due_timestamp"):
        assert name.encode() in told
    done = subprocess.run(
        [promtool, "check", "metrics"], input=told, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_alerts_are_chosen_and_labelled_by_values() -> None:
    names = [rule["alert"] for rule in _rules()]
    assert names == sorted(file.stem for file in (CHART / "rules").glob("*.yaml"))
    prefix = "https://github.com/clickandmortar/ksnapshot/blob/main/docs/runbooks/"
    for rule in _rules():
        assert rule["annotations"]["runbook_url"] == f"{prefix}{rule['alert']}.md"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    own = {"alert": "Own", "expr": "vector(1)"}
    changed = _rules(
        "--set=metrics.prometheusRule.excludeRules={KsnapshotNoLeader}",
        "--set=metrics.prometheusRule.additionalLabels.team=storage",
        "--set=metrics.prometheusRule.additionalLabels.severity=page",
        f"--set-json=metrics.prometheusRule.additionalRules=[{json.dumps(own)}]",
        "--set=metrics.prometheusRule.runbookUrlPrefix=https://wiki.example/",
    )
    assert [rule["alert"] for rule in changed] == [
        *(name for name in names if name != "KsnapshotNoLeader"),
        "Own",
    ]
    assert changed[-1] == own
    for rule in changed[:-1]:
        assert (rule["labels"]["team"], rule["labels"]["severity"]) == ("storage", "page")
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/{rule['alert']}.md"
    with pytest.raises(HelmError, match="excludeRules"):
        _rules("--set=metrics.prometheusRule.excludeRules=KsnapshotNoLeader")


def _dashboard(*arguments: str, name: str = "ksnapshot-dashboard") -> dict[str, Any]:
    return find(render("--set=metrics.dashboard.enabled=true", *arguments), "ConfigMap", name)


def test_the_dashboard_is_found_by_grafanas_sidecar() -> None:
    made = _dashboard()
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert "annotations" not in made["metadata"]
    file = CHART / "dashboards" / "ksnapshot.json"
    assert made["data"] == {"ksnapshot.json": file.read_text().rstrip("\n")}
    changed = _dashboard(
        "--set-string=metrics.dashboard.labels.grafana_dashboard=yes",
        "--set-string=metrics.dashboard.labels.team=storage",
        "--set=metrics.dashboard.annotations.a=b",
        "--set=metrics.dashboard.folder=Backups",
    )["metadata"]
    assert {"grafana_dashboard": "yes", "team": "storage"}.items() <= changed["labels"].items()
    assert changed["annotations"] == {"a": "b", "grafana_folder": "Backups"}
    assert not [item for item in render() if item["metadata"]["name"].endswith("-dashboard")]


def test_releases_whose_names_begin_alike_have_their_own_service_and_dashboard() -> None:
    on = ("--set=metrics.dashboard.enabled=true", "--set=metrics.serviceMonitor.enabled=true")
    made = [
        item["metadata"]["name"]
        for name in (f"{'n' * 62}a", f"{'n' * 62}b")
        for item in render(*on, f"--set=fullnameOverride={name}")
        if item["metadata"]["name"].endswith(("-metrics", "-dashboard"))
    ]
    assert len(set(made)) == len(made) == 4
    # Of Services.
    assert max(map(len, made)) <= 63


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are() -> None:
    document = json.loads(_dashboard()["data"]["ksnapshot.json"])
    source = {"type": "prometheus", "uid": "${datasource}"}
    known = {family.name for family in FAMILIES} | {
        f"{family.name}_bucket" for family in FAMILIES if family.kind is Kind.HISTOGRAM
    }
    labels = {label for family in FAMILIES for label in family.labels} | {"le"}
    variables = {item["name"] for item in document["templating"]["list"]}
    assert variables == {"datasource", "label", "namespace", "workload"}
    ids = [panel["id"] for panel in document["panels"]]
    assert len(set(ids)) == len(ids)
    asked: set[str] = set()
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            assert panel["datasource"] == target["datasource"] == source
            expression = target["expr"]
            used = set(re.findall(r"ksnapshot_\w+", expression))
            assert used <= known, panel["title"]
            asked |= used
            named = re.findall(r"[{,](\w+)[=!]", expression)
            named += re.findall(r"[\w]+", " ".join(re.findall(r"by \(([^)]*)\)", expression)))
            given = set(re.findall(r"\$(\w+)", expression))
            assert set(named) - labels <= {"label"}, panel["title"]
            assert given <= variables | {"__range", "__rate_interval"}
    missing = {family.name for family in FAMILIES if family.kind is not Kind.HISTOGRAM} - asked
    # There are none of notifications where nobody is notified.
    assert missing == {
        "ksnapshot_backup_last_attempt_timestamp_seconds",
        # Where there are several storages, `ksnapshot status` and an alert are about them.
        "ksnapshot_backup_storage_due_timestamp_seconds",
        "ksnapshot_backup_storage_last_stored_bytes",
        "ksnapshot_backup_storage_last_success_timestamp_seconds",
        "ksnapshot_drill_last_attempt_timestamp_seconds",
        "ksnapshot_notifications_total",
        "ksnapshot_verify_last_attempt_timestamp_seconds",
    }


def test_panels_lie_beside_each_other() -> None:
    document = json.loads(_dashboard()["data"]["ksnapshot.json"])
    taken: dict[tuple[int, int], str] = {}
    for panel in document["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_runs_in_a_range_are_counted_over_restarts(promtool: Path, tmp_path: Path) -> None:
    document = json.loads(_dashboard()["data"]["ksnapshot.json"])
    [panel] = [panel for panel in document["panels"] if panel["title"].startswith("Runs in this")]
    expression = panel["targets"][0]["expr"].replace("$__range", "1h")
    for variable, value in {"label": "namespace", "namespace": "demo", "workload": ".*"}.items():
        expression = expression.replace(f"${variable}", value)

    def series(pod: str, reason: str, values: str) -> dict[str, str]:
        outcome = "succeeded" if reason == "Succeeded" else "failed"
        labels = f'namespace="demo",workload="db",pod="{pod}",outcome="{outcome}"'
        name = f'ksnapshot_backup_runs_total{{{labels},reason="{reason}"}}'
        return {"series": name, "values": values}

    given = [
        # Four runs long ago, two within the last hour, and then the pod was another one.
        series("old", "Succeeded", "4x70 5x10 6x9 stale"),
        series("new", "Succeeded", "_x90 0x10 1x30"),
        series("new", "SourceFailed", "_x100 1x30"),
    ]
    expected = [("succeeded", "Succeeded", 3), ("failed", "SourceFailed", 1)]
    samples = [
        {"labels": f'{{outcome="{outcome}", reason="{reason}"}}', "value": count}
        for outcome, reason, count in expected
    ]
    test = {
        "interval": "1m",
        "input_series": given,
        "promql_expr_test": [
            {"expr": f"round({expression})", "eval_time": "2h", "exp_samples": samples}
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_of_drills_without_a_verdict_leaves_out_all_verdicts() -> None:
    [rule] = [rule for rule in _rules() if rule["alert"] == "KsnapshotDrillFailed"]
    [reasons] = re.findall(r'reason!~"([^"]*)"', rule["expr"])
    assert set(reasons.split("|")) == DRILL_VERDICTS


def test_alerts_name_metrics_labels_and_causes_that_there_are() -> None:
    known = {family.name: family for family in FAMILIES}
    labels = {label for family in FAMILIES for label in family.labels}
    for rule in _rules():
        used = re.findall(r"ksnapshot_\w+", rule["expr"])
        assert used
        assert set(used) <= set(known), rule["alert"]
        assert all(known[name].kind is Kind.GAUGE for name in used)
        text = " ".join([*rule["annotations"].values(), *rule["labels"].values()])
        found = set(re.findall(r"\$labels\.(\w+)", text)) - {"exported_namespace"}
        assert found <= labels, rule["alert"]
        assert rule["labels"].get("cause", "none") in set(FailureCause)


# A workload of each kind of trouble, and two in none; all times in seconds at the start.
def _workload(
    name: str,
    series: Mapping[str, object],
    host: str = "",
    cause: str = "",
    verify: str = "",
    drill: str = "",
    **storages: int,
) -> list[Any]:
    labels = f'workload="{name}",cronjob="ksnapshot-postgresql-demo-{name}"'
    found: list[Any] = [
        (f'ksnapshot_backup_storage_due_timestamp_seconds{{NAMESPACE,{labels},storage="{s}"}}', due)
        for s, due in storages.items()
    ]
    for what, reason in (("verify", verify), ("drill", drill)):
        if reason:
            status = f'ksnapshot_{what}_last_status{{NAMESPACE,{labels},reason="{reason}"}}'
            found.append((status, int(reason == "Succeeded")))
    for metric, value in series.items():
        more = ""
        if metric == "ksnapshot_backup_last_status":
            reason = {"": "Succeeded", "store": "StorageFailed", "database": "SourceFailed"}[cause]
            more = f',engine="postgresql",host="{host or name}",reason="{reason}"'
            more += f',cause="{cause or "none"}"'
        if metric == "ksnapshot_workload_state_since_timestamp_seconds":
            assert isinstance(value, tuple)
            more = f",{value[0]}"
        number = value[1] if isinstance(value, tuple) else value
        found.append((f"{metric}{{NAMESPACE,{labels}{more}}}", number))
    return found


_DUE, _GOOD = (
    "ksnapshot_backup_due_timestamp_seconds",
    "ksnapshot_backup_last_success_timestamp_seconds",
)
_TRIED, _STATUS = "ksnapshot_backup_last_attempt_timestamp_seconds", "ksnapshot_backup_last_status"
_STATE = "ksnapshot_workload_state_since_timestamp_seconds"
_SUSPENDED = "ksnapshot_suspended_since_timestamp_seconds"
_VERIFY_DUE = "ksnapshot_verify_due_timestamp_seconds"
_VERIFY_DAMAGED = "ksnapshot_verify_damaged_backups"
_DRILL_DUE = "ksnapshot_drill_due_timestamp_seconds"
_DRILL_DOUBT = "ksnapshot_drill_in_doubt"
_LATER = _NOW + _HOUR
_FINE = {_DUE: _LATER, _GOOD: 0, _TRIED: 0, _STATUS: 1}
_CALM = [
    entry
    for number in range(9)
    for entry in _workload(f"calm-{number}", {**_FINE, _STATUS: 1, _TRIED: 0})
]
_PROCESS = [
    ("ksnapshot_leader{POD}", 1),
    ("ksnapshot_pass_failures{POD}", 0),
    ("ksnapshot_last_successful_pass_timestamp_seconds{POD}", _NOW),
]
# Name of the case, series beside the calm ones, and the alerts with the labels that count.
_CASES: list[tuple[str, Sequence[tuple[str, object]], list[dict[str, str]]]] = [
    ("nothing", [*_CALM, *_PROCESS], []),
    (
        "overdue after a good run",
        [*_workload("late", {**_FINE, _DUE: 60}), *_CALM, *_PROCESS],
        [{"alertname": "KsnapshotBackupOverdue", "workload": "late", "cause": "none"}],
    ),
    (
        "overdue, as nobody saw a run end",
        [*_workload("late", {_DUE: 60, _GOOD: 0}), *_CALM, *_PROCESS],
        [{"alertname": "KsnapshotBackupOverdue", "workload": "late"}],
    ),
    (
        "overdue and failed, at the store",
        [*_workload("late", {**_FINE, _DUE: 60, _STATUS: 0}, cause="store"), *_CALM, *_PROCESS],
        [
            {"alertname": "KsnapshotBackupOverdue", "workload": "late", "cause": "store"},
            {"alertname": "KsnapshotBackupFailed", "workload": "late", "cause": "store"},
        ],
    ),
    (
        "never succeeded",
        [
            *_workload("new", {_DUE: 60}),
            *_workload("bad", {_DUE: 60, _TRIED: 0, _STATUS: 0}, cause="database"),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotBackupNeverSucceeded", "workload": "new"},
            {"alertname": "KsnapshotBackupNeverSucceeded", "workload": "bad", "cause": "database"},
            {"alertname": "KsnapshotBackupFailed", "workload": "bad", "cause": "database"},
        ],
    ),
    (
        "one of several storages lacks what is due",
        [
            *_workload("fine", _FINE, main=_LATER, offsite=_LATER),
            *_workload("partial", _FINE, main=_LATER, offsite=60),
            # No storage got it: that is the workload's own alert, once.
            *_workload("late", {**_FINE, _DUE: 60}, main=60, offsite=60),
            *_workload("never", {_DUE: 60}, main=60, offsite=60),
            *_CALM,
            *_PROCESS,
        ],
        [
            {
                "alertname": "KsnapshotStorageOverdue",
                "workload": "partial",
                "storage": "offsite",
                "severity": "critical",
            },
            {"alertname": "KsnapshotBackupOverdue", "workload": "late"},
            {"alertname": "KsnapshotBackupNeverSucceeded", "workload": "never"},
        ],
    ),
    (
        "shrunk, with new notes",
        [
            *_workload("small", {**_FINE, "ksnapshot_backup_shrunk": 1}),
            *_workload("noted", {**_FINE, "ksnapshot_backup_new_notes": 2}),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotBackupShrunk", "workload": "small"},
            {"alertname": "KsnapshotBackupNewNotes", "workload": "noted"},
        ],
    ),
    (
        "states",
        [
            *_workload("odd", {_STATE: ('state="unknown",reason="ServiceMissing"', -_HOUR)}),
            *_workload("stuck", {_STATE: ('state="wanted",reason="RunBlocked"', -_HOUR)}),
            *_workload("login", {_STATE: ('state="unknown",reason="CredentialsMissing"', -_HOUR)}),
            *_workload("young", {_STATE: ('state="unknown",reason="ServiceMissing"', _NOW - 60)}),
            *_workload("paused", {_STATE: ('state="wanted",reason="Suspended"', 0), _SUSPENDED: 0}),
            *_workload("asleep", {_GOOD: 0, _SUSPENDED: -8 * _DAY}),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotWorkloadNotBackedUp", "workload": "odd"},
            {"alertname": "KsnapshotWorkloadNotBackedUp", "workload": "stuck"},
            {"alertname": "KsnapshotCredentialsStale", "workload": "login"},
            {"alertname": "KsnapshotBackupSuspended", "workload": "asleep"},
        ],
    ),
    (
        "verified by schedule",
        [
            *_workload(
                "fine", {**_FINE, _VERIFY_DUE: _LATER, _VERIFY_DAMAGED: 0}, verify="Succeeded"
            ),
            *_workload("bad", {**_FINE, _VERIFY_DAMAGED: 2}, verify="BackupDamaged"),
            *_workload("away", {**_FINE, _VERIFY_DAMAGED: 0}, verify="StorageFailed"),
            *_workload("gone", {**_FINE, _VERIFY_DAMAGED: 0}, verify="BackupDamaged"),
            *_workload("never", {**_FINE, _VERIFY_DUE: 60}),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotBackupDamaged", "workload": "bad"},
            {"alertname": "KsnapshotBackupDamaged", "workload": "gone"},
            {"alertname": "KsnapshotVerifyFailed", "workload": "away"},
            {"alertname": "KsnapshotVerifyOverdue", "workload": "never"},
        ],
    ),
    (
        "drilled",
        [
            *_workload("fine", {**_FINE, _DRILL_DUE: _LATER, _DRILL_DOUBT: 0}, drill="Succeeded"),
            *_workload("differs", {**_FINE, _DRILL_DOUBT: 1}, drill="DrillDiffers"),
            *_workload("unloaded", {**_FINE, _DRILL_DOUBT: 1}, drill="DrillNotLoaded"),
            # It could not be tried since: both are true.
            *_workload("both", {**_FINE, _DRILL_DOUBT: 1}, drill="DrillServerFailed"),
            *_workload("away", {**_FINE, _DRILL_DOUBT: 0}, drill="StorageFailed"),
            *_workload("never", {**_FINE, _DRILL_DUE: 60}),
            *_workload(
                "impossible",
                {
                    **_FINE,
                    _DRILL_DUE: _LATER,
                    _DRILL_DOUBT: 0,
                    "ksnapshot_drill_not_drillable": 1,
                },
            ),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotBackupInDoubt", "workload": "differs"},
            {"alertname": "KsnapshotBackupInDoubt", "workload": "unloaded"},
            {"alertname": "KsnapshotBackupInDoubt", "workload": "both"},
            {"alertname": "KsnapshotDrillFailed", "workload": "both"},
            {"alertname": "KsnapshotDrillFailed", "workload": "away"},
            {"alertname": "KsnapshotDrillOverdue", "workload": "never"},
        ],
    ),
    ("no controller", [*_CALM], [{"alertname": "KsnapshotNoLeader"}]),
    (
        "a standby alone",
        [("ksnapshot_leader{POD}", 0), *_PROCESS[1:]],
        [{"alertname": "KsnapshotNoLeader"}],
    ),
    (
        "failing passes",
        [*_PROCESS[:1], ("ksnapshot_pass_failures{POD}", 2), *_CALM],
        [{"alertname": "KsnapshotPassesFailing"}],
    ),
    (
        "no good pass for long",
        [*_PROCESS[:2], ("ksnapshot_last_successful_pass_timestamp_seconds{POD}", -2 * _HOUR)],
        [{"alertname": "KsnapshotPassesFailing"}],
    ),
    (
        "the store is down",
        [
            *(
                entry
                for number in range(3)
                for entry in _workload(
                    f"bad-{number}", {**_FINE, _TRIED: 0, _STATUS: 0}, cause="store"
                )
            ),
            *_workload("good", _FINE),
            # Of runs that are long ago nobody knows how it would be now.
            *_workload("weekly", {**_FINE, _TRIED: -7 * _HOUR}),
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotStoreDown", "cause": "store"},
            *({"alertname": "KsnapshotBackupFailed", "workload": f"bad-{n}"} for n in range(3)),
        ],
    ),
    (
        "a database host is down",
        [
            *_workload("one", {**_FINE, _STATUS: 0}, host="big", cause="database"),
            *_workload("two", {**_FINE, _STATUS: 0}, host="big", cause="database"),
            *_workload("three", _FINE, host="big"),
            # A host of one workload says nothing that the workload's own alert does not.
            *_workload("alone", {**_FINE, _STATUS: 0}, cause="database"),
            *_CALM,
            *_PROCESS,
        ],
        [
            {"alertname": "KsnapshotDatabaseHostDown", "host": "big", "cause": "database"},
            {"alertname": "KsnapshotBackupFailed", "workload": "one", "host": "big"},
            {"alertname": "KsnapshotBackupFailed", "workload": "two", "host": "big"},
            {"alertname": "KsnapshotBackupFailed", "workload": "alone", "host": "alone"},
        ],
    ),
]
# How a scrape labels the series: with honorLabels, and without.
_SCRAPES = {
    "honoured": ('namespace="demo"', 'namespace="backup"'),
    "renamed": ('exported_namespace="demo",namespace="backup"', 'namespace="backup"'),
}


def _series(name: str, value: object, scrape: str) -> dict[str, str]:
    of_workload, of_pod = _SCRAPES[scrape]
    target = 'job="ksnapshot",instance="10.0.0.1:8080",pod="ksnapshot-1"'
    labelled = name.replace("NAMESPACE", f"{of_workload},{target}").replace(
        "POD", f"{of_pod},{target}"
    )
    return {"series": labelled, "values": f"{value}+0x{_AT}"}


@pytest.mark.parametrize("scrape", _SCRAPES)
def test_alerts_fire_exactly_where_they_should(promtool: Path, tmp_path: Path, scrape: str) -> None:
    rules = _rules()
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "ksnapshot", "rules": rules}]})
    )
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [_series(metric, value, scrape) for metric, value in series],
            "promql_expr_test": [
                {
                    # Each alert with the labels that the case names, and how often it fires.
                    "expr": _count(alert["alertname"], expected),
                    "eval_time": f"{_AT}m",
                    "exp_samples": [
                        {"labels": "{}", "value": _number(alert["alertname"], expected)}
                    ],
                }
                for alert in ({"alertname": rule["alert"]} for rule in rules)
            ],
        }
        for name, series, expected in _CASES
    ]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _number(alert: str, expected: list[dict[str, str]]) -> int:
    return sum(labels["alertname"] == alert for labels in expected)


def _count(alert: str, expected: list[dict[str, str]]) -> str:
    """How many of an alert fire, if each that is expected does, with its labels; else -1."""
    wanted = [labels for labels in expected if labels["alertname"] == alert]
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"'
    total = f"(count({firing}}}) or vector(0))"
    for labels in wanted:
        more = "".join(
            f',{name}="{value}"' for name, value in labels.items() if name != "alertname"
        )
        total += f" * (count({firing}{more}}}) or vector(-1))"
    if any("workload" in labels for labels in wanted):
        total += f' * (count(count({firing},workload_namespace="demo"}})) or vector(-1))'
    return total
