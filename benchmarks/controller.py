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

`--checkout`, any number of times, measures other versions of the controller; `--rounds` runs all
of them so many times, in turns, and compares each with the first, pair by pair. An operator that is
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks import operators, pairs, world
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
@click.option("--rounds", default=1, show_default=True, help="Runs of each operator, in turns.")
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
    rounds: int,
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

    load = pairs.load()
    runs: list[Run] = []

    def measure(place: World) -> None:
        for operator in candidates * rounds:
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
            _print(runs, load)


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
_COSTS = [name for name in _COLUMNS.values() if name not in {"operator", "workloads", "pods"}]


def _print(runs: Sequence[Run], load: Mapping[str, float]) -> None:
    summaries = [_summary(run) for run in runs]
    ratios = list(_ratios(summaries))
    print(json.dumps({"load": load, "runs": summaries, "ratios": ratios}, indent=2))
    rows = [[str(item[name]) for name in _COLUMNS.values()] for item in summaries]
    table = [list(_COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        _say("  ".join(map(str.rjust, row, widths)))
    for item in ratios:
        _say(f"{item['operators']}, {item['workloads']} workloads, {item['pods']} pods")
        for name, ratio in item["costs"].items():
            _say(f"  {name}: {ratio['median']} ({ratio['lowest']} to {ratio['highest']})")


def _ratios(summaries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How many times the cost of the first operator each other one costs, in the same world.

    A cost that is nothing in some run has no ratio.
    """
    by_world: dict[tuple[int, int], dict[str, list[dict[str, Any]]]] = {}
    for item in summaries:
        operators_there = by_world.setdefault((item["workloads"], item["pods"]), {})
        operators_there.setdefault(item["operator"], []).append(item)
    for (workloads, pods), by_operator in by_world.items():
        (base, base_runs), *others = by_operator.items()
        for name, made in others:
            costs = {
                cost: pairs.spread([one[cost] for one in made], [one[cost] for one in base_runs])
                for cost in _COSTS
                # A run that was interrupted leaves an operator without its pair.
                if len(made) == len(base_runs) and all(one[cost] for one in base_runs)
            }
            yield {
                "operators": f"{name} / {base}",
                "workloads": workloads,
                "pods": pods,
                "costs": costs,
            }


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
