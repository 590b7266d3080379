"""What is seen of workloads in all places at once: command, metrics, Prometheus, Events, board."""

import json
import re
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.demo.command import Command
from tests.demo.kube import Kube, Object, log_fields
from tests.demo.world import CONTROL, RELEASE, SHOP
from tests.e2e.failures import IN_AN_HOUR, IN_EIGHT_DAYS, NOW
from tests.integration.chart.helm import find, render
from tests.testbed.monitoring import prometheus as prometheus_testbed
from tests.testbed.monitoring.prometheus import Prometheus
from tests.testbed.toolchain import processes
from tests.testbed.toolchain.processes import free_port, wait_until
from tests.testbed.toolchain.tools import tool

_SERIES = re.compile(r"(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PORT = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series of a workload."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen at one moment, each by the workload's name.

    `alerts` go by how many seconds later they are looked at; those of no workload are under the
    name "".
    """

    status: Mapping[str, Object]
    board: Mapping[str, Object]
    summary: str
    series: Mapping[str, Sequence[Series]]
    events: Mapping[str, Sequence[Object]]
    alerts: Mapping[int, Mapping[str, set[str]]]

    def figures(self, workload: str) -> Mapping[str, float]:
        """The values of a workload's series, by the metric's name without what all begin with."""
        series = self.series[workload]
        return {item.name.removeprefix("ksnapshot_backup_"): item.value for item in series}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Looks at the running controller through a port-forward, and scrapes it."""

    kube: Kube
    port: int
    prometheus: Prometheus
    rules: Mapping[str, str]

    def look(self) -> Sight:
        """Look once the next whole pass has ended."""
        self._await_a_pass()
        ended = Command(cluster=self.kube.cluster).run("status", "--output", "json")
        assert ended.code == 0, ended
        status = json.loads(ended.out)["workloads"]
        board = self.kube.get("configmap", f"{RELEASE}-status", SHOP)
        assert board is not None
        rows = json.loads(board["data"]["workloads.json"])["workloads"]
        return Sight(
            status={item["name"]: item for item in status},
            board={row["workload"].partition("/")[2]: row for row in rows},
            summary=board["data"]["summary.txt"],
            series=self._series(),
            events=self._events(),
            alerts=self._alerts(),
        )

    def _await_a_pass(self) -> None:
        """A pass that goes on by now may have read what it needs before."""
        before = self._passes()
        self.kube.wait("a whole pass", lambda: self._passes() >= before + 2, seconds=120)

    def _passes(self) -> int:
        log = self.kube.run("logs", "-n", CONTROL, f"deployment/{RELEASE}", "--tail=-1")
        messages = (log_fields(line).get("message") for line in log.splitlines())
        return sum(message == "pass finished" for message in messages)

    def _series(self) -> Mapping[str, Sequence[Series]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        found = defaultdict(list)
        for line in text.splitlines():
            if match := _SERIES.fullmatch(line):
                labels = dict(_LABEL.findall(match["labels"]))
                if "workload" in labels:
                    made = Series(name=match["name"], labels=labels, value=float(match["value"]))
                    found[labels["workload"]].append(made)
        return found

    def _events(self) -> Mapping[str, Sequence[Object]]:
        found = defaultdict(list)
        for event in self.kube.list("events", SHOP):
            if (event.get("source") or {}).get("component") == "ksnapshot":
                found[event["involvedObject"]["name"]].append(event)
        return found

    def _alerts(self) -> Mapping[int, Mapping[str, set[str]]]:
        now = time.time()
        wait_until(
            lambda: any(
                float(item["value"][1]) > now
                for item in self.prometheus.query("timestamp(ksnapshot_leader)")
            ),
            seconds=60,
            what="a scrape",
        )
        found: dict[int, dict[str, set[str]]] = {}
        for later in (NOW, IN_AN_HOUR, IN_EIGHT_DAYS):
            found[later] = defaultdict(set)
            for alert, expression in self.rules.items():
                for item in self.prometheus.query(expression, time.time() + later):
                    found[later][item["metric"].get("workload", "")].add(alert)
        return found


@contextmanager
def observing(kube: Kube) -> Iterator[Observer]:
    """Forward the controller's port, and let a Prometheus scrape it."""
    port = free_port()
    command: list[str | Path] = [
        tool("kubectl"),
        f"--kubeconfig={kube.cluster.kubeconfig}",
        "port-forward",
    ]
    command += ["-n", CONTROL, f"deployment/{RELEASE}", f"{port}:{_PORT}"]
    folder = kube.cluster.kubeconfig.parent
    forward = processes.start(
        "port-forward",
        command,
        log=folder / "port-forward.log",
        ready=lambda: processes.listens(port),
    )
    objects = render("--set=metrics.prometheusRule.enabled=true")
    [group] = find(objects, "PrometheusRule", "ksnapshot")["spec"]["groups"]
    targets = [{"targets": [f"127.0.0.1:{port}"]}]
    scrape = {"job_name": "ksnapshot", "honor_labels": True, "static_configs": targets}
    try:
        with prometheus_testbed.start([scrape]) as server:
            yield Observer(
                kube=kube,
                port=port,
                prometheus=server,
                rules={rule["alert"]: rule["expr"] for rule in group["rules"]},
            )
    finally:
        forward.stop()
