"""What a running controller shows: its page in a browser, the dashboard by a Prometheus."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.page_reader import cell, read
from tests.integration.chart.helm import CHART
from tests.integration.controller.watched import (
    BAD,
    BROKEN,
    FRESH,
    GOOD,
    NOTED,
    PAUSED,
    RUNNING,
    SUCCEEDED,
    Watched,
    watching,
)
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.monitoring import browser as browser_testbed
from tests.testbed.monitoring import prometheus as prometheus_testbed
from tests.testbed.monitoring.browser import Browser
from tests.testbed.monitoring.prometheus import Prometheus
from tests.testbed.toolchain.processes import wait_until

_DASHBOARD = json.loads((CHART / "dashboards" / "ksnapshot.json").read_text())
_RUNS = "ksnapshot_backup_runs_total"
_PANELS = [panel for panel in _DASHBOARD["panels"] if panel["type"] != "row"]
_DAYS = 3 * 86400


@pytest.fixture(scope="module")
def watched(apiserver: ApiServer) -> Iterator[Watched]:
    with watching(apiserver) as made:
        yield made


@pytest.fixture(scope="module")
def prometheus(watched: Watched) -> Iterator[Prometheus]:
    """One that scrapes the controller in both ways, and has seen everything happen."""
    target = {"targets": [f"127.0.0.1:{watched.metrics}"], "labels": {"namespace": "backup"}}
    scrapes = [
        {"job_name": name, "honor_labels": honours, "static_configs": [target]}
        for name, honours in (("honoured", True), ("renamed", False))
    ]
    with prometheus_testbed.start(scrapes) as server:

        def sees(expression: str, count: float) -> None:
            # Twice: once for each way.
            wait_until(
                lambda: _value(server, f"sum({expression})") >= 2 * count,
                seconds=60,
                what=f"{expression} in Prometheus",
            )

        watched.dump(GOOD, 3)
        watched.dump(RUNNING, 3)
        watched.dump(NOTED, 3, notes=["standby"], oldest_backup="2025-12-01T00:00:00Z", backups=9)
        sees("ksnapshot_backup_duration_seconds_count", SUCCEEDED - 1)
        watched.dump(GOOD, 4)
        watched.dump_in_vain(BAD, 3)
        watched.begin_dump(RUNNING)
        watched.restore()
        watched.prune()
        watched.verify()
        watched.drill()
        sees(f'{_RUNS}{{outcome="succeeded"}}', SUCCEEDED)
        sees(f'{_RUNS}{{outcome="failed"}}', 1)
        sees("ksnapshot_restore_runs_total", 1)
        sees("ksnapshot_prune_deleted_backups_total", 4)
        sees("ksnapshot_verify_last_status", 1)
        sees("ksnapshot_drill_last_status", 1)
        sees("ksnapshot_backup_running_since_timestamp_seconds > bool 0", 1)
        yield server


def _value(server: Prometheus, expression: str, at: float | None = None) -> float:
    found = server.query(expression, at)
    return float(found[0]["value"][1]) if found else 0.0


def _filled(expression: str, watched: Watched, label: str) -> str:
    """What Grafana asks for one namespace of the dashboard."""
    values = {"label": label, "namespace": watched.shop, "workload": ".*"}
    values |= {"__range": "1h", "__rate_interval": "1m", "__interval": "1m"}
    for name, value in values.items():
        expression = expression.replace(f"${name}", value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("label", ["namespace", "exported_namespace"])
@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: panel["title"])
def test_every_panel_has_an_answer(
    prometheus: Prometheus, watched: Watched, panel: dict[str, Any], label: str
) -> None:
    for target in panel["targets"]:
        expression = _filled(target["expr"], watched, label)
        now = time.time()
        if target["instant"]:
            found = prometheus.query(expression)
        else:
            found = prometheus.query_range(expression, now - 60, now)
        assert found, expression
        for item in found:
            # By these the legend or the table's row is named.
            legend = target.get("legendFormat", "").replace("$label", label)
            shown = [word.partition("}}")[0] for word in legend.split("{{")[1:]]
            assert set(shown) <= set(item["metric"]), expression


def _stat(prometheus: Prometheus, watched: Watched, title: str, at: float | None = None) -> float:
    (panel,) = [panel for panel in _PANELS if panel["title"] == title]
    return _value(prometheus, _filled(panel["targets"][0]["expr"], watched, "namespace"), at)


@pytest.mark.parametrize(
    ("title", "now", "later"),
    [
        # Nothing runs in the days between, and what is suspended is not due.
        ("Overdue", 0, 5),
        ("Failing", 1, 1),
        ("Never succeeded", 3, 3),
        ("Not backed up", 1, 1),
        ("Shrunk", 0, 0),
        ("Running now", 1, 1),
        ("Backups in doubt", 0, 0),
        ("Drills failing", 0, 0),
        ("Drills overdue", 0, 1),
        ("Not drillable", 0, 0),
        ("Workloads", 6, 6),
        ("Stored by the last runs", 3000, 3000),
    ],
)
def test_the_figures_at_a_glance_are_right(
    prometheus: Prometheus, watched: Watched, title: str, now: float, later: float
) -> None:
    assert _stat(prometheus, watched, title) == now
    assert _stat(prometheus, watched, title, time.time() + _DAYS) == later


def test_runs_are_counted_by_outcome_and_reason(prometheus: Prometheus, watched: Watched) -> None:
    (panel,) = [item for item in _PANELS if item["title"].startswith("Runs in this range")]
    found = prometheus.query(_filled(panel["targets"][0]["expr"], watched, "exported_namespace"))
    counts = {item["metric"]["reason"]: float(item["value"][1]) for item in found}
    assert counts == {"Succeeded": SUCCEEDED, "DeadlineExceeded": 1}


def test_the_variables_offer_what_there_is(prometheus: Prometheus, watched: Watched) -> None:
    variables = {item["name"]: item for item in _DASHBOARD["templating"]["list"]}
    offered = {}
    for name in ("namespace", "workload"):
        query = _filled(variables[name]["query"]["query"], watched, "namespace")
        # label_values(SELECTOR, LABEL), as Grafana takes it apart.
        selector, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
        found = prometheus.query(f"group by ({label}) ({selector})")
        offered[name] = {item["metric"][label] for item in found}
    assert offered["namespace"] == {watched.shop, "backup"}
    assert offered["workload"] == {GOOD, NOTED, RUNNING, BAD, FRESH, PAUSED, BROKEN}


@pytest.mark.usefixtures("prometheus")
def test_the_page_shows_what_the_board_shows(watched: Watched) -> None:
    page = read(watched.shown())
    board = {row["workload"]: row for row in watched.world.rows(watched.shop)}
    assert {line["Workload"].text.split()[0] for line in page.rows} == set(board)
    assert len(board) == 7
    for workload, row in board.items():
        state = cell(page, workload, "State")
        if row["reason"] != "Annotated":
            assert f"{row['reason']} since" in state
            assert row["message"] in state
        last = cell(page, workload, "Last run")
        if result := row["last_result"]:
            assert result["finished"][:16].replace("T", " ") in last
        else:
            assert "none yet" in last
        assert row["schedule"] in cell(page, workload, "Next run")
        assert row["next"][:16].replace("T", " ") in cell(page, workload, "Next run")
    good = f"{watched.shop}/{GOOD}"
    assert cell(page, good, "State") == "good"
    assert cell(page, good, "Backups").count("1000 B") == 2
    (line,) = [line for line in page.rows if line["Workload"].text.split()[0] == good]
    assert line["Duration"].pictures == [
        "durations of the last 2 good runs, from 33 s to 34 s, at most 34 s"
    ]
    assert "runs since 2026-01-01 03:00" in cell(page, f"{watched.shop}/{RUNNING}", "Last run")
    assert "DeadlineExceeded" in cell(page, f"{watched.shop}/{BAD}", "Last run")
    assert "'every <day>'" in cell(page, f"{watched.shop}/{BROKEN}", "State")
    noted = cell(page, f"{watched.shop}/{NOTED}", "Backups")
    assert "notes: standby" in noted
    assert "restored and compared in 1 min, the data 2 h 0 min old" in noted
    assert len(read(watched.shown(f"/namespaces/{watched.shop}")).rows) == 7
    assert "päss" not in watched.shown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_testbed.start() as made:
        yield made


@pytest.mark.usefixtures("prometheus")
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_it_on_any_screen(
    watched: Watched, browser: Browser, width: int, *, dark: bool
) -> None:
    browser.open(f"http://127.0.0.1:{watched.page}/", width=width, dark=dark)
    assert browser.complaints == [], "the policy allows the page itself"
    style = "getComputedStyle(document.body)"
    back = browser.evaluate(f"{style}.backgroundColor")
    assert back == ("rgb(21, 23, 26)" if dark else "rgb(255, 255, 255)"), "the style sheet counts"
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.querySelectorAll('tbody tr').length") == 7
    assert browser.evaluate("document.querySelector('svg').getBoundingClientRect().width") == 120
    # Nothing overlaps: a cell ends where the next one begins, beside it or below.
    cut = browser.evaluate(
        "[...document.querySelectorAll('th,td')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".filter(e => getComputedStyle(e).display != 'none' && !e.closest('thead')).length"
    )
    assert cut == 0
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert roles.count("rowheader") == 7
    assert roles.count("row") == 8
    assert "columnheader" in roles
