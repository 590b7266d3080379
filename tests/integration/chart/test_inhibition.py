"""One cause is one page: the chart's alerts, from a real Prometheus, in a real Alertmanager."""

import http.server
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from tests.integration.chart.helm import find, render
from tests.paths import REPOSITORY
from tests.testbed.monitoring import alertmanager as alertmanager_testbed
from tests.testbed.monitoring import prometheus as prometheus_testbed
from tests.testbed.monitoring.alertmanager import Alertmanager
from tests.testbed.toolchain.processes import wait_until

# Workload, host, reason and cause of its last run.
_RUNS = (
    *((f"stored-{number}", f"host-{number}", "StorageFailed", "store") for number in range(5)),
    ("shared-1", "shared", "SourceFailed", "database"),
    ("shared-2", "shared", "SourceRefused", "database"),
    ("alone", "alone", "SourceFailed", "database"),
    ("pulled", "host-6", "ErrImagePull", "image"),
    ("good", "host-7", "Succeeded", "none"),
)
_LATE = ("stored-0", "pulled", "good")
_FAILED, _OVERDUE = "KsnapshotBackupFailed", "KsnapshotBackupOverdue"
# What each alert is kept back by, without a workload for those that have none.
_BY_STORE, _BY_HOST, _BY_OVERDUE = "KsnapshotStoreDown", "KsnapshotDatabaseHostDown", _OVERDUE
_EXPECTED = {
    ("KsnapshotStoreDown", ""): set(),
    ("KsnapshotDatabaseHostDown", ""): set(),
    **{(_FAILED, f"stored-{number}"): {_BY_STORE} for number in range(1, 5)},
    (_FAILED, "stored-0"): {_BY_STORE, _BY_OVERDUE},
    (_OVERDUE, "stored-0"): {_BY_STORE},
    (_FAILED, "shared-1"): {_BY_HOST},
    (_FAILED, "shared-2"): {_BY_HOST},
    (_FAILED, "alone"): set(),
    (_FAILED, "pulled"): {_BY_OVERDUE},
    (_OVERDUE, "pulled"): set(),
    # Nobody knows why.
    (_OVERDUE, "good"): set(),
    ("KsnapshotBackupShrunk", "good"): set(),
    ("KsnapshotWorkloadNotBackedUp", "rejected"): set(),
}


class _Told:
    """What the controller tells, as text that a test may change."""

    def __init__(self, *, leader: bool) -> None:
        now = time.time()
        lines = [f"ksnapshot_leader {int(leader)}", "ksnapshot_pass_failures 0"]
        lines += [f"ksnapshot_last_successful_pass_timestamp_seconds {now}"]
        for name, host, reason, cause in _RUNS:
            of = _labels(name)
            more = f'{of},engine="postgresql",host="{host}",reason="{reason}",cause="{cause}"'
            lines.append(f"ksnapshot_backup_last_status{{{more}}} {int(cause == 'none')}")
            due = now - 60 if name in _LATE else now + 86400
            for metric, value in (("last_attempt", now), ("last_success", now), ("due", due)):
                lines.append(f"ksnapshot_backup_{metric}_timestamp_seconds{{{of}}} {value}")
        lines.append(f"ksnapshot_backup_shrunk{{{_labels('good')}}} 1")
        state = f'{_labels("rejected")},state="unknown",reason="ServiceMissing"'
        lines.append(f"ksnapshot_workload_state_since_timestamp_seconds{{{state}}} {now - 7200}")
        self.text = "\n".join([*lines, ""])


def _labels(name: str) -> str:
    return f'namespace="demo",workload="{name}",cronjob="ksnapshot-postgresql-demo-{name}"'


@contextmanager
def _telling(told: _Told) -> Iterator[int]:
    """Serve the text; the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(told.text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _documented() -> list[dict[str, Any]]:
    """The rules of docs/operations.md."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    [block] = re.findall(r"```yaml\n(inhibit_rules:\n.*?)```", text, re.DOTALL)
    rules: list[dict[str, Any]] = yaml.safe_load(block)["inhibit_rules"]
    return rules


def _rules() -> list[dict[str, Any]]:
    """The chart's alerts, without the time for which they must be true."""
    objects = render("--set=metrics.prometheusRule.enabled=true")
    [group] = find(objects, "PrometheusRule", "ksnapshot")["spec"]["groups"]
    return [{key: rule[key] for key in rule if key != "for"} for rule in group["rules"]]


@contextmanager
def _alerting(*, leader: bool, honours: bool) -> Iterator[Alertmanager]:
    with (
        alertmanager_testbed.start(_documented()) as alertmanager,
        _telling(_Told(leader=leader)) as port,
    ):
        target = {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "backup"}}
        scrape = {"job_name": "a", "honor_labels": honours, "static_configs": [target]}
        with prometheus_testbed.start([scrape], rules=_rules(), alertmanager=alertmanager.port):
            yield alertmanager


def _found(alertmanager: Alertmanager) -> dict[tuple[str, str], set[str]]:
    """The alerts by name and workload, and the names of those that each is kept back by."""
    alerts = alertmanager.alerts()
    names = {alert["fingerprint"]: alert["labels"]["alertname"] for alert in alerts}
    return {
        (alert["labels"]["alertname"], alert["labels"].get("workload", "")): {
            names[by] for by in alert["status"]["inhibitedBy"]
        }
        for alert in alerts
    }


@pytest.mark.parametrize("honours", [True, False], ids=["honoured", "renamed"])
def test_one_cause_keeps_back_what_follows_from_it_and_nothing_else(*, honours: bool) -> None:
    with _alerting(leader=True, honours=honours) as alertmanager:
        wait_until(
            lambda: _found(alertmanager).keys() >= _EXPECTED.keys(), seconds=60, what="all alerts"
        )
        found = _found(alertmanager)
    assert found.keys() == _EXPECTED.keys()
    for alert, by in _EXPECTED.items():
        # Of several that keep it back the server names one.
        assert bool(found[alert]) is bool(by), alert
        assert found[alert] <= by, alert


def test_without_a_controller_all_else_is_kept_back() -> None:
    with _alerting(leader=False, honours=True) as alertmanager:
        wanted = {*_EXPECTED, ("KsnapshotNoLeader", "")}
        wait_until(lambda: _found(alertmanager).keys() >= wanted, seconds=60, what="all alerts")
        found = _found(alertmanager)
    assert found.pop(("KsnapshotNoLeader", "")) == set()
    assert all(found.values())
