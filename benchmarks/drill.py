"""A drill beside its parts, and a dump with and without its fingerprint: same run, in turns.

    python -m benchmarks.drill [--rows 2000000] [--rounds 7]

The parts are what a drill cannot do without: a server that is made and answers, a restore into it
by the two processes of one, and a dump of what was restored to nowhere. The backup is one of
PostgreSQL, encrypted. Prints one JSON document with the ratios of pairs, their median, lowest and
highest. CPU seconds are those of our processes with their tools, and of the throwaway server.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.dump import DATA, ROOT
from benchmarks.encrypted_job import make_job
from benchmarks.processes import Run, cpu_of, run, say
from dumpers.engines.postgresql.spec import SPEC
from tests.testbed import throwaway
from tests.testbed.databases import postgres
from tests.testbed.stores import s3
from tests.testbed.throwaway import Throwaway
from tests.testbed.toolchain.processes import wait_until

# Reading a dump to its end, and keeping nothing.
NOWHERE = """
import os
from dumpers.contract.jobs import DumpJob
from dumpers.engines.registry import ENGINES, load
from dumpers.runtime.interrupt import Interrupt
job, interrupt = DumpJob.from_env(os.environ, ENGINES), Interrupt()
with load(job.engine).open(job, interrupt) as dump:
    for stream in dump.streams:
        with stream.open(interrupt) as reader:
            while reader.read(1 << 20):
                pass
"""
# A dump whose streams are none that have a fingerprint.
WITHOUT = """
from dumpers.cli.main import main
from dumpers.runs import pipeline
pipeline.FingerprintedStream = type(None)
main([])
"""
BOTH = """
set -euo pipefail
"$PYTHON" -m dumpers "$READER" &
"$PYTHON" -m dumpers "$CLIENT"
wait $!
"""
_SERVER_SECONDS = 120
_MAJOR = 18


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory(prefix="ks-") as folder,
    ):
        database.create_database("bench")
        say(f"making {options.rows} rows")
        database.psql(DATA.format(rows=options.rows), "bench")
        # With its roles, without which a drill would read it twice, to find those that it names.
        job = {**make_job(database, store, folder), "KSNAPSHOT_GLOBALS": "true"}
        say("dumping")
        run([sys.executable, "-m", "dumpers"], job, ROOT)
        result = json.loads(Path(folder, "result").read_text())
        document = {
            "load": pairs.load(),
            "source_mib": round(result["source_bytes"] / 2**20),
            "stored_mib": round(result["stored_bytes"] / 2**20),
            "drill_over_its_parts": _compare(
                options.rounds, lambda: _drill(job), lambda: _parts(job)
            ),
            "dump_over_one_without_fingerprint": _compare(
                options.rounds,
                lambda: run([sys.executable, "-m", "dumpers"], job, ROOT),
                lambda: run([sys.executable, "-c", WITHOUT], job, ROOT),
            ),
        }
    print(json.dumps(document, indent=2))


def _compare(rounds: int, ours: Callable[[], Run], others: Callable[[], Run]) -> Mapping[str, Any]:
    """Do both in turns, after a first pair that does not count."""
    made: list[tuple[Run, Run]] = []
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        pair = ours(), others()
        if number:
            made.append(pair)
    first, second = zip(*made, strict=True)
    return {
        "ratio": pairs.costs(first, second),
        "cpu_seconds": [[round(one.cpu, 2) for one in pair] for pair in made],
        "wall_seconds": [[round(one.wall, 2) for one in pair] for pair in made],
    }


def _drill(job: Mapping[str, str]) -> Run:
    """A drill by its two verbs, from the start of its server on."""
    began = time.monotonic()
    with _server() as server:
        env = {**job, **_login(server, "template1"), "READER": "drill", "CLIENT": "rehearse"}
        ended = run(["bash", "-c", BOTH], env, ROOT)
        return _whole(began, server, [ended])


def _parts(job: Mapping[str, str]) -> Run:
    """What a drill is made of, one after the other."""
    began = time.monotonic()
    with _server() as server:
        login = _login(server, "template1")
        query = ["psql", "--no-psqlrc", f"--host={login['POSTGRESQL_HOST']}"]
        query += [f"--port={server.port}", f"--username={login['POSTGRESQL_USERNAME']}"]

        def answers() -> bool:
            # The database's owner, too, which a restore without roles has to find there.
            made = ["--command=CREATE ROLE postgres", "--command=CREATE DATABASE bench"]
            asked = [*query, *made, "template1"]
            return subprocess.run(asked, env=job, capture_output=True, check=False).returncode == 0

        wait_until(answers, seconds=_SERVER_SECONDS, what="the throwaway server to answer")
        env = {**job, **_login(server, "bench"), "READER": "restore", "CLIENT": "load"}
        loaded = run(["bash", "-c", BOTH], env, ROOT)
        dumped = run([sys.executable, "-c", NOWHERE], env, ROOT)
        return _whole(began, server, [loaded, dumped])


def _server() -> Throwaway:
    installation, folder = postgres.installed(_MAJOR)
    assert SPEC.drill_server
    return throwaway.start(
        SPEC.drill_server,
        port=SPEC.port,
        installation=installation,
        bins=[str(folder / "bin")],
        changes={"/usr/lib/postgresql/": "/nowhere/"},
    )


def _login(server: Throwaway, database: str) -> Mapping[str, str]:
    assert SPEC.drill_server
    return {
        "POSTGRESQL_HOST": "127.0.0.1",
        "POSTGRESQL_PORT": str(server.port),
        "POSTGRESQL_USERNAME": SPEC.drill_server.user,
        # The server asks for none, and a restore wants to have one.
        "POSTGRESQL_PASSWORD": "none",
        "POSTGRESQL_DATABASE": database,
    }


def _whole(began: float, server: Throwaway, runs: Sequence[Run]) -> Run:
    """All of it, with what the server took until now."""
    return Run(
        wall=time.monotonic() - began,
        cpu=sum(one.cpu for one in runs) + cpu_of(server.server.pid),
        peak=max(one.peak for one in runs),
    )


if __name__ == "__main__":
    main()
