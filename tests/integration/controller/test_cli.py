"""The process itself: one pass, a plan, and a good end on SIGTERM."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from controller.model import names
from controller.model.objects import Json
from tests.integration.controller.world import World, build, database
from tests.testbed.cluster.apiserver import WRITES, ApiServer
from tests.testbed.proxies.faults import Hang, Rule
from tests.testbed.toolchain.pki import authority
from tests.testbed.toolchain.processes import free_port, wait_until


@pytest.fixture
def world(apiserver: ApiServer) -> World:
    world = build(apiserver)
    database(world.api, world.watched[0])
    return world


def environment(world: World, **more: str) -> dict[str, str]:
    identity = world.server.identity_of(world.user)
    return os.environ | {
        "KUBECONFIG": str(world.server.kubeconfig_for(identity)),
        "WATCH_NAMESPACES": ",".join(world.watched),
        "CONTROL_NAMESPACE": world.control,
        "STATUS_PAGE_LISTEN": "none",
        **more,
    }


def ksnapshot(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", *arguments],
        env=environment(world),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_plan_writes_nothing_and_run_once_does_what_it_said(world: World) -> None:
    mark = world.server.audit_mark()
    planned = ksnapshot(world, "plan")
    assert planned.returncode == 0, planned.stderr
    assert "2 writes" in planned.stdout
    assert "päss" not in planned.stdout
    events = world.server.audit_events(mark, user=world.user)
    assert events
    assert not [event for event in events if event.verb in WRITES]
    done = ksnapshot(world, "run", "--once")
    assert done.returncode == 0, done.stderr
    assert "päss" not in done.stderr
    assert names.cronjob_name("postgresql", f"{world.watched[0]}/db") in world.cronjobs()
    assert "0 writes" in ksnapshot(world, "plan").stdout


def test_a_debug_log_explains_a_pass_and_shows_no_secret(world: World) -> None:
    done = ksnapshot(world, "run", "--once", "--log-level=debug", "--log-format=json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    verdicts = {line["about"]: line["verdict"] for line in lines if line["message"] == "decision"}
    cronjob = names.cronjob_name("postgresql", f"{world.watched[0]}/db")
    assert verdicts[f"CronJob/{cronjob}"] == "create"
    assert "chosen" in {found for about, found in verdicts.items() if about.startswith("Service/")}
    encoded = base64.b64encode("päss".encode()).decode().rstrip("=")
    for text in ("päss", "p\\u00e4ss", encoded, "BEGIN CERTIFICATE"):
        assert text not in done.stderr
    words = ("authorization", "bearer", "response body", "urllib3", "rest.py")
    assert [word for word in words if word in done.stderr.lower()] == []


def test_it_runs_answers_and_ends_well_on_sigterm(world: World, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "webhook-url").write_text("http://127.0.0.1:1/hook-secret")
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "run"],
        env=environment(world, HTTP_PORT=str(port), NOTIFICATIONS_FOLDER=str(tmp_path)),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:

        def figures() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                    return str(answer.read().decode())
            except urllib.error.URLError:
                return ""

        wait_until(lambda: 'state="wanted"} 1.0' in figures(), seconds=30, what="a pass")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        # A pass shows its figures before it notes what it has told.
        wait_until(
            lambda: names.OVERDUE_TOLD_UNTIL in status_annotations(world), seconds=30, what="a note"
        )
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
    assert '"message": "stopped"' in log
    assert '"message": "notifications begin"' in log
    assert "hook-secret" not in log


def status_annotations(world: World) -> Json:
    path = world.api.path("v1", "ConfigMap", world.control, "ksnapshot-status")
    found: Json = world.api.request("GET", path)["metadata"].get("annotations", {})
    return found


def test_without_a_verb_it_prints_help_and_asks_the_cluster_nothing(world: World) -> None:
    mark = world.server.audit_mark()
    done = ksnapshot(world)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ksnapshot")
    assert not world.server.audit_events(mark, user=world.user)


def test_one_pass_that_is_stopped_by_sigterm_ends_well(world: World, faults: Any) -> None:
    server = world.server
    mine = authority(server.ca.parent / "proxy")
    proxy = faults.http(server.port, tls=mine.server("proxy"), upstream_ca=server.ca)
    file = server.kubeconfig_for(server.identity_of(world.user), url=proxy.url, ca=mine.pair.cert)
    proxy.set(Rule(Hang(), path="/pods"))
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "run", "--once"],
        env=environment(world, KUBECONFIG=str(file), API_TIMEOUT_SECONDS="2"),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: bool(proxy.seen("GET", "/pods")), seconds=30, what="a list")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log


def test_without_a_cluster_it_says_so(world: World) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "controller", "run", "--once"],
        env=environment(world, MODE="cluster"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: MODE=cluster")
