"""What a dump takes from the start of its process to the first byte that it reads.

    python -m benchmarks.start [--rounds 15] [--against FOLDER]

A small database, so that hardly anything but the start counts. `--against` measures another work
tree beside this one, in turns: ratios are those of pairs. Compiled files are there after the round
that warms up, as in the images. CPU seconds are those of the dumper's process by then, without
those of the database's clients. Prints one JSON document.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.processes import Run, backend, run, say
from tests.testbed.databases import postgres
from tests.testbed.stores import s3

ROOT = Path(__file__).resolve().parents[1]
# Tells of the first byte, and goes on as the image does.
DRIVER = """
import os, resource, sys, time
def told():
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/stat") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    since = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    with open(os.environ["TOLD"], "w") as file:
        file.write(f"{used.ru_utime + used.ru_stime} {since}")
def watch(read):
    def first(self, size=-1, /):
        data = read(self, size)
        if data and not seen:
            seen.append(1)
            told()
        return data
    return first
seen = []
from dumpers.streams import filters
filters.CountingReader.read = watch(filters.CountingReader.read)
import runpy
sys.argv = [""]
runpy.run_module("dumpers", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """CPU seconds of the process, and wall time, up to the first byte; and of the whole dump."""

    cpu: float
    wall: float
    whole: Run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        database.create_database("bench")
        database.psql("CREATE TABLE one AS SELECT 1", "bench")
        env = {
            "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            "KSNAPSHOT_GLOBALS": "false",
            **backend(store),
            "POSTGRESQL_HOST": database.host,
            "POSTGRESQL_PORT": str(database.port),
            "POSTGRESQL_USERNAME": database.user,
            "POSTGRESQL_PASSWORD": database.password,
            "POSTGRESQL_DATABASE": "bench",
            "HOSTNAME": "bench",
            "TOLD": f"{folder}/told",
        }
        trees = {"ours": ROOT} | ({"against": options.against} if options.against else {})
        starts: dict[str, list[Start]] = {name: [] for name in trees}
        load = pairs.load()
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, root in trees.items():
                # What earlier ones left would be listed.
                env["BACKEND_PATH"] = f"{name}-{number}"
                whole = run([sys.executable, "-c", DRIVER], env, root)
                cpu, wall = map(float, Path(folder, "told").read_text().split())
                if number:
                    starts[name].append(Start(cpu=cpu, wall=wall, whole=whole))
    document: dict[str, Any] = {
        "load": load,
        **{
            name: {
                "cpu_seconds": _median([one.cpu for one in made]),
                "wall_seconds": _median([one.wall for one in made]),
                "whole_cpu_seconds": _median([one.whole.cpu for one in made]),
                "whole_wall_seconds": _median([one.whole.wall for one in made]),
                "peak_mib": round(max(one.whole.peak for one in made) / 2**10),
            }
            for name, made in starts.items()
        },
    }
    if options.against:
        ours, other = starts["ours"], starts["against"]
        document["over_against"] = {
            "cpu": pairs.spread([one.cpu for one in ours], [one.cpu for one in other]),
            "wall": pairs.spread([one.wall for one in ours], [one.wall for one in other]),
            "whole": pairs.costs([one.whole for one in ours], [one.whole for one in other]),
        }
    print(json.dumps(document, indent=2))


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
