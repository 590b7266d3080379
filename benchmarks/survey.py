"""What a survey costs beside the dump that it belongs to: same run, same database, in turns.

    python -m benchmarks.survey [--engine postgresql] [--tables 10000] [--pairs 5] [--choose]

A survey is all that an engine asks before its first object is read; the dump is a whole one, to a
store. CPU seconds are those of the client with its tools, and of the server. With `--choose` the
annotations choose half of the tables by their schema, which PostgreSQL's survey has more to ask
about. Prints one JSON document, with the survey's share of the dump as median, lowest and highest.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import pairs
from benchmarks.processes import Run, backend, say
from tests.testbed.databases import mysql, postgres
from tests.testbed.stores import s3

_SURVEY = """
import os
from dumpers.contract.jobs import DumpJob
from dumpers.engines.registry import ENGINES, load
from dumpers.runtime.interrupt import Interrupt
job = DumpJob.from_env(os.environ, ENGINES)
with load(job.engine).open(job, Interrupt()):
    pass
"""
# The interpreter and its imports are no part of the survey.
_NOTHING = _SURVEY.partition("with ")[0] + "load(job.engine)\n"
_COMMANDS = {
    "survey": ("-c", _SURVEY),
    "nothing": ("-c", _NOTHING),
    "dump": ("-m", "dumpers"),
}
_BATCH = 500
_MARIADB = "mariadb-11.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A server with the tables: its process, and what a job is told of it."""

    pid: int
    env: Mapping[str, str]
    chosen: Mapping[str, str]


@contextmanager
def _postgresql(tables: int) -> Iterator[_Place]:
    with postgres.start(options={"max_locks_per_transaction": str(tables // 50 + 64)}) as server:
        server.create_database("bench")
        for schema in ("one", "two"):
            server.psql(f"CREATE SCHEMA {schema}", "bench")
        for first in range(0, tables, _BATCH):
            schema = "one" if first < tables // 2 else "two"
            server.psql(
                f"""DO $$ BEGIN FOR i IN {first + 1}..{min(first + _BATCH, tables)} LOOP
                EXECUTE format('CREATE TABLE {schema}.t%s (id int PRIMARY KEY,
                  name text DEFAULT %L, at timestamptz)', i, 'x');
                END LOOP; END $$""",
                "bench",
            )
        server.psql("VACUUM ANALYZE", "bench")
        yield _Place(
            pid=server.pid,
            env={
                "KSNAPSHOT_ENGINE": "postgresql",
                "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
                "POSTGRESQL_HOST": server.host,
                "POSTGRESQL_PORT": str(server.port),
                "POSTGRESQL_USERNAME": server.user,
                "POSTGRESQL_PASSWORD": server.password,
                "POSTGRESQL_DATABASE": "bench",
            },
            chosen={"POSTGRESQL_SCHEMAS": "one"},
        )


@contextmanager
def _mysql(tables: int) -> Iterator[_Place]:
    with mysql.start(_MARIADB) as server:
        server.create_database("bench")
        for first in range(0, tables, _BATCH):
            names = range(first, min(first + _BATCH, tables))
            text = "(id int PRIMARY KEY, name varchar(40) DEFAULT 'x', at datetime)"
            server.sql("".join(f"CREATE TABLE t{name} {text};" for name in names), "bench")
        yield _Place(
            pid=server.pid,
            env={
                "KSNAPSHOT_ENGINE": "mysql",
                "PATH": f"{mysql.clients()}:{os.environ['PATH']}",
                "MYSQL_HOST": server.host,
                "MYSQL_PORT": str(server.port),
                "MYSQL_USER": server.user,
                "MYSQL_PASSWORD": server.password,
                "MYSQL_DATABASE": "bench",
            },
            chosen={},
        )


_ENGINES = {"postgresql": _postgresql, "mysql": _mysql}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--engine", choices=_ENGINES, default="postgresql")
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--choose", action="store_true")
    options = parser.parse_args()
    say(f"making {options.tables} tables")
    with (
        _ENGINES[options.engine](options.tables) as place,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        env = {
            **place.env,
            **(place.chosen if options.choose else {}),
            **backend(store),
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            "HOSTNAME": "bench",
        }
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in _COMMANDS}
        for number in range(options.pairs + 1):
            say(f"pair {number} of {options.pairs}" if number else "warming up")
            for name, arguments in _COMMANDS.items():
                made = _run(arguments, env, place.pid)
                if number:
                    runs[name].append(made)
    document = {
        "engine": options.engine,
        "tables": options.tables,
        "load": load,
        "cpu_seconds": {name: _seconds([one.cpu for one in made]) for name, made in runs.items()},
        "share": {"cpu": _share(runs, "cpu"), "wall": _share(runs, "wall")},
    }
    print(json.dumps(document, indent=2))


def _seconds(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _share(runs: Mapping[str, Sequence[Run]], cost: str) -> dict[str, Any]:
    """What part of a dump's cost the survey's is, pair by pair."""
    costs = {name: [getattr(one, cost) for one in made] for name, made in runs.items()}
    idle = zip(costs["survey"], costs["nothing"], strict=True)
    return pairs.spread([whole - start for whole, start in idle], costs["dump"])


def _run(arguments: tuple[str, ...], env: Mapping[str, str], server: int) -> Run:
    """Run a command of this tree to its end; CPU is that of the server, too."""
    before, began = _server_cpu(server), time.monotonic()
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(env),
        cwd=Path(__file__).resolve().parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    wall = time.monotonic() - began
    cpu = usage.ru_utime + usage.ru_stime + _server_cpu(server) - before
    return Run(wall=wall, cpu=cpu, peak=usage.ru_maxrss)


def _server_cpu(pid: int) -> float:
    """CPU seconds of a server, of its processes that ended, and of those that run."""
    root = psutil.Process(pid)
    own = root.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in root.children():
        times = child.cpu_times()
        total += times.user + times.system
    return float(total)


if __name__ == "__main__":
    main()
