"""What the metrics of many workloads cost: writing them after a pass, and sending them to a scrape.

    python -m benchmarks.metrics [--workloads 2000] [--scrapes 50]

Each workload has a history of thirty runs and every series that it can have. The server is the
controller's own, asked over a socket as Prometheus asks it. Prints one JSON document on stdout.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import click

from benchmarks import pairs
from controller.kube.client import CallCounts
from controller.model import names
from controller.model.status import Reason, State, WorkloadStatus
from controller.plan.changes import ApplyResult, PassResult, WorkloadPlan
from controller.report.http_server import Health, serve
from controller.report.metrics.metrics import Metrics
from controller.settings.settings import Settings

_STATUS = WorkloadStatus(state=State.WANTED, reason=Reason.ANNOTATED)
_RUNS = 30


def _cronjob(number: int, key: str) -> dict[str, Any]:
    name = names.cronjob_name("postgresql", key)
    second = number % 60
    size = 10**9 + number * 7_654_321
    last = {
        "job": f"{name}-1",
        "finished": f"2026-01-30T03:{number % 50:02}:{second:02}Z",
        "succeeded": True,
        "reason": "Succeeded",
        "seconds": 9.5 + number / 7,
        "source_bytes": size,
        "stored_bytes": size // 7,
        "notes": ["standby"],
    }
    runs = [
        {
            "finished": f"2026-01-{day:02}T03:{number % 50:02}:{second:02}Z",
            "outcome": "succeeded",
            "reason": "Succeeded",
            "seconds": 9.5,
            "bytes": size // 7,
            "source_bytes": size,
            "notes": ["standby"],
        }
        for day in range(_RUNS, 0, -1)
    ]
    records = {names.LAST_SUCCESS: last, names.LAST_RESULT: last, names.HISTORY: runs}
    env = [{"name": "POSTGRESQL_HOST", "value": f"{key.replace('/', '.')}.svc.cluster.local"}]
    pod = {"containers": [{"name": "job", "env": env}]}
    return {
        "metadata": {
            "name": name,
            "uid": str(number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {key: json.dumps(value) for key, value in records.items()},
        },
        "spec": {
            "schedule": f"{number % 60} {number % 24} * * *",
            "timeZone": "Europe/Paris",
            "jobTemplate": {"spec": {"activeDeadlineSeconds": 14400, "template": {"spec": pod}}},
        },
    }


def _result(number: int) -> ApplyResult:
    key = f"space-{number % 20:02}/database-{number}"
    cronjob = _cronjob(number, key)
    plan = WorkloadPlan(
        namespace=key.partition("/")[0],
        workload=key,
        cronjob=cronjob["metadata"]["name"],
        status=_STATUS,
    )
    return ApplyResult(workload_plan=plan, status=_STATUS, cronjob=cronjob)


def _cpu(part: Callable[[], object]) -> float:
    before = time.process_time()
    part()
    return time.process_time() - before


@click.command()
@click.option("--workloads", default=2000, show_default=True)
@click.option("--scrapes", default=50, show_default=True)
def main(*, workloads: int, scrapes: int) -> None:
    settings = Settings.from_env({"WATCH_NAMESPACES": "demo"})
    metrics = Metrics(settings, CallCounts())
    results = tuple(map(_result, range(workloads)))
    running = {str(number): "2026-01-31T03:00:00Z" for number in range(workloads)}
    result = PassResult(results=results, failures=(), seconds=1.0, running=running)
    later = PassResult(results=results, failures=(), seconds=2.0, running=running)
    first = _cpu(lambda: metrics.update(result, {}, 1.0))
    steady = [_cpu(lambda: metrics.update(later, {}, 2.0)) for _ in range(5)]
    server = serve(0, Health(settings), metrics.exposition)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])

    def scrape() -> None:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        connection.getresponse().read()

    # This process's CPU time holds the client's, too.
    costs = [_cpu(scrape) for _ in range(scrapes)]
    server.shutdown()
    told = metrics.exposition()
    lines = told.text.decode().splitlines()
    figures = {
        "load": pairs.load(),
        "workloads": workloads,
        "series": sum(not line.startswith("#") for line in lines),
        "text_bytes": len(told.text),
        "packed_bytes": len(told.packed),
        "first_cpu_seconds": round(first, 3),
        "steady_cpu_seconds": round(statistics.median(steady), 3),
        "scrape_cpu_ms": {
            "median": round(1000 * statistics.median(costs), 2),
            "highest": round(1000 * max(costs), 2),
        },
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
