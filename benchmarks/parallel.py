"""Dumps of PostgreSQL by one, two and four streams: same run, same database, in turns.

    python -m benchmarks.parallel [--rows 2000000] [--rounds 5] [--held 20]

One table holds four fifths of the rows. Each is done with every connection to the server held to
`--held` MB per second by a proxy, and without one, beside a bare `pg_dump` by the same ways. Prints
one JSON document. Ratios are those of pairs, with their median, lowest and highest; CPU seconds are
those of the dumper and its children, and the peak of memory that of its largest process. Server,
store, proxy and dumper share the machine's cores.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyrage

from benchmarks import pairs
from benchmarks.dump import DATA, ROOT
from benchmarks.processes import Run, backend, run, say
from tests.testbed.databases import postgres
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.proxies.faults import Slow
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores import s3

STREAMS = (1, 2, 4)
# Beside the large table, each with a twentieth of all rows.
_SMALLER = 4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--held", type=int, default=20, metavar="MB")
    options = parser.parse_args()
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        TcpProxy(database.host, database.port) as proxy,
        tempfile.TemporaryDirectory() as folder,
    ):
        proxy.set(Slow(bytes_per_second=options.held * 1_000_000))
        fill(database, options.rows)
        target = backend_of(store)
        commands = {
            f"{way}_{name}": command
            for way, port in (("held", proxy.port), ("direct", database.port))
            for name, command in commands_at(database, port, target, folder).items()
        }
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, command in commands.items():
                made = run(*command)
                if number:
                    runs[name].append(made)
        result = json.loads(Path(folder, "result").read_text())
    print(json.dumps({"load": load, **report(runs, result)}, indent=2))


def fill(database: PostgresServer, rows: int) -> None:
    """Make the tables of the database `bench`, whose sizes the server then knows."""
    database.create_database("bench")
    say(f"making {rows} rows")
    small = rows // (5 * _SMALLER)
    tables = [DATA.format(rows=rows - _SMALLER * small)]
    tables += [
        DATA.format(rows=small).replace("TABLE events", f"TABLE events_{number}")
        for number in range(_SMALLER)
    ]
    database.psql("".join(tables) + "VACUUM ANALYZE; CHECKPOINT", "bench")


def backend_of(store: s3.S3Server) -> Mapping[str, str]:
    """What the dumper is told of the store, encryption included."""
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    return {
        **backend(store),
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": recipient,
    }


def commands_at(
    database: PostgresServer, port: int, target: Mapping[str, str], folder: str
) -> Mapping[str, tuple[Sequence[str], Mapping[str, str], Path]]:
    """The commands that read the server by this port."""
    path = f"{postgres.bin_folder()}:{os.environ['PATH']}"
    bare = {**database.env("bench"), "PGPORT": str(port), "PATH": path}
    job = {
        "PATH": path,
        "KSNAPSHOT_ENGINE": "postgresql",
        "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
        **target,
        "POSTGRESQL_HOST": database.host,
        "POSTGRESQL_PORT": str(port),
        "POSTGRESQL_USERNAME": database.user,
        "POSTGRESQL_PASSWORD": database.password,
        "POSTGRESQL_DATABASE": "bench",
        "HOSTNAME": "bench",
    }
    dumper = [sys.executable, "-m", "dumpers"]
    return {"bare": ([str(postgres.client("pg_dump"))], bare, ROOT)} | {
        f"{count}": (dumper, job | {"KSNAPSHOT_PARALLELISM": str(count)}, ROOT) for count in STREAMS
    }


def report(runs: Mapping[str, Sequence[Run]], result: Mapping[str, int]) -> dict[str, object]:
    """What was measured, of all runs by their names."""
    return {
        "source_mib": round(result["source_bytes"] / 2**20),
        "seconds": {
            name: round(statistics.median(one.wall for one in made), 2)
            for name, made in runs.items()
        },
        "wall_over_single": {
            f"{way}_{count}": pairs.wall(runs[f"{way}_{count}"], runs[f"{way}_1"])
            for way in ("held", "direct")
            for count in STREAMS[1:]
        },
        "single_over_bare": {
            way: pairs.wall(runs[f"{way}_1"], runs[f"{way}_bare"]) for way in ("held", "direct")
        },
        "cpu_seconds": {
            name: round(statistics.median(one.cpu for one in made), 2)
            for name, made in runs.items()
        },
        "peak_mib": {
            name: round(max(one.peak for one in made) / 2**10) for name, made in runs.items()
        },
    }


if __name__ == "__main__":
    main()
