"""What the controller costs in a busy cluster, on a real API server under the chart's own rights.

    python -m benchmarks.controller [--workloads 2000] [--pods 10000] [--namespaces 20]
    python -m benchmarks.controller --workloads 200 --pods 1000,2000,5000,10000
    python -m benchmarks.controller --against 'node /path/to/ksnapshot-0.6.0/dist/index.js'

The world: databases to be backed up, half of them Deployments, and applications that fill up the
number of pods; Deployments have three old ReplicaSets. A pod has 11 KB of JSON, almost half of it
managedFields. Operators run in it one after the other, each as a process of its own with its own
account and control namespace, which is emptied afterwards; outside of that none of them writes,
so that all find the same. First they converge from nothing. Then passes that find nothing to do
are watched: time, requests by the API server's audit log, CPU time of the operator and of the API
server with its etcd, and memory. Only ratios of one run say anything about two operators.

`--checkout`, any number of times, measures other versions of the controller. An operator that is
not ours takes the same environment, and has to pause for more than 20 s between two passes, as
its requests tell them. What is told of a run are medians of its steady passes.

To measure again and again, build the world once and leave it running:

    python -m benchmarks.controller --keep world.json &
    python -m benchmarks.controller --reuse world.json --passes 3 --interval 20

Prints one JSON document on stdout, and a table on stderr.
"""

import json
import signal
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import operators, world
from benchmarks.objects import ENGINES
from benchmarks.operators import Pass, Run
from benchmarks.world import World
from tests.testbed.cluster import apiserver

ROOT = Path(__file__).resolve().parents[1]
_FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_MEBIBYTE = 1 << 20


def _list(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


# Each paragraph as it is written.
@click.command(help="\b\n" + (__doc__ or "").replace("\n\n", "\n\n\b\n"))
@click.option("--workloads", default=2000, show_default=True)
@click.option("--pods", default="10000", callback=_list, show_default=True)
@click.option("--namespaces", default=20, show_default=True)
@click.option("--engines", default="postgresql", callback=_list, show_default=True)
@click.option("--passes", default=5, show_default=True, help="Steady passes to watch.")
@click.option("--interval", default=60, show_default=True, help="POLL_INTERVAL_SECONDS of ours.")
@click.option("--checkout", "checkouts", multiple=True, default=[ROOT], type=_FOLDER)
@click.option("--against", metavar="COMMAND", help="Another operator, which runs after ours.")
@click.option("--keep", type=_FILE, help="Build, tell this file where, and wait to be stopped.")
@click.option("--reuse", type=_FILE, help="The file of a world that is kept running.")
def main(
    *,
    workloads: int,
    pods: tuple[str, ...],
    namespaces: int,
    engines: tuple[str, ...],
    passes: int,
    interval: int,
    checkouts: tuple[Path, ...],
    against: str | None,
    keep: Path | None,
    reuse: Path | None,
) -> None:
    if unknown := set(engines) - set(ENGINES):
        raise click.BadParameter(f"unknown engines: {', '.join(unknown)}")
    candidates = [operators.ours(checkout, interval) for checkout in checkouts]
    if against:
        candidates.append(operators.other(against))

    runs: list[Run] = []

    def measure(place: World) -> None:
        for operator in candidates:
            runs.append(operators.run(operator, place, passes))
            times = (f"{item.seconds:.2f} s" for item in runs[-1].passes)
            _say(f"{operator.name}, {place.pods} pods: {', '.join(times)} a pass")

    try:
        if reuse:
            measure(World.load(reuse))
            return
        with apiserver.start() as server:
            place = world.on(server, namespaces)
            for number in map(int, pods):
                place.grow(workloads=workloads, pods=number, engines=engines)
                if not keep:
                    measure(place)
            if keep:
                place.save(keep)
                _say(f"{keep} says where the world is; stop it with SIGINT or SIGTERM")
                signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        # What was measured before something failed is told, too.
        if runs:
            _print(runs)


_COLUMNS = {
    "operator": "operator",
    "workloads": "workloads",
    "pods": "pods",
    "converged s": "converged_seconds",
    "pass s": "pass_seconds",
    "requests": "requests",
    "writes": "writes",
    "CPU s": "operator_cpu_seconds",
    "server CPU s": "server_cpu_seconds",
    "peak MiB": "peak_mib",
    "steady MiB": "steady_mib",
}


def _print(runs: Sequence[Run]) -> None:
    summaries = [_summary(run) for run in runs]
    first: dict[tuple[int, int], dict[str, Any]] = {}
    ratios = [
        _ratio(item, base)
        for item in summaries
        if (base := first.setdefault((item["workloads"], item["pods"]), item)) is not item
    ]
    print(json.dumps({"runs": summaries, "ratios": ratios}, indent=2))
    rows = [[str(item[name]) for name in _COLUMNS.values()] for item in (*summaries, *ratios)]
    table = [list(_COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        _say("  ".join(map(str.rjust, row, widths)))


def _ratio(item: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """How many times the base's cost it costs; None where that is nothing."""
    told = {name: item[name] for name in ("workloads", "pods")}
    names = [name for name in _COLUMNS.values() if name not in {"operator", *told}]
    costs = {name: round(item[name] / base[name], 2) if base[name] else None for name in names}
    return {"operator": f"{item['operator']} / {base['operator']}", **told, **costs}


def _summary(run: Run) -> dict[str, Any]:
    """Of the steady passes, medians; all of them follow one by one."""
    costs = [_cost(item) for item in run.passes]
    names = ("pass_seconds", "requests", "writes", "operator_cpu_seconds", "server_cpu_seconds")
    return {
        "operator": run.operator,
        "workloads": run.workloads,
        "pods": run.pods,
        "cronjobs": run.cronjobs,
        "secrets": run.secrets,
        "converged_seconds": round(run.converged, 1),
        **{name: round(statistics.median(cost[name] for cost in costs), 2) for name in names},
        "peak_mib": round(run.peak / _MEBIBYTE),
        "steady_mib": round(run.steady / _MEBIBYTE),
        "idle_mib": round(run.idle / _MEBIBYTE),
        "first_pass": _cost(run.first),
        "steady_passes": costs,
    }


def _cost(item: Pass) -> dict[str, Any]:
    return {
        "pass_seconds": round(item.seconds, 2),
        "requests": sum(item.requests.values()),
        "writes": item.writes,
        "operator_cpu_seconds": round(item.operator_cpu, 2),
        "server_cpu_seconds": round(item.server_cpu, 2),
        "requests_by_kind": item.requests,
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
