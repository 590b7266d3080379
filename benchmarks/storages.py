"""What a second storage costs a dump, and what more parts at a time gain it: pairs, in turns.

    python -m benchmarks.storages [--mib 300] [--rounds 7] [--source 30] [--connection 5]

A PostgreSQL of random rows behind a proxy that holds it to `--source` MB/s is dumped, encrypted,
into one store and into two. Then a generated stream goes to one store, each connection to which is
held to `--connection` MB/s, with one part at a time and with four. Prints one JSON document: ratios
of pairs with their median, lowest and highest, and the source's bytes, which tell how often it was
read.
"""

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyrage

from benchmarks import pairs
from benchmarks.processes import Run, backend, run, say
from dumpers.contract.storages.variables import named_variable
from tests.integration.dumpers.generated import NOISE, SIZE
from tests.integration.dumpers.noise import noise_database
from tests.testbed.databases import postgres
from tests.testbed.dumper import storage_env
from tests.testbed.proxies.faults import Slow
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.stores import s3

ROOT = Path(__file__).resolve().parents[1]
_MEGABYTE = 1_000_000
# A row of noise_database, as pg_dump writes it.
_ROW = 73
_BARS = {"two_over_one": {"wall": 1.10, "cpu": 1.25, "peak": 1.3}, "four_over_one": {"wall": 0.35}}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--source", type=float, default=30, metavar="MB/s")
    parser.add_argument("--connection", type=float, default=5, metavar="MB/s")
    options = parser.parse_args()
    load = pairs.load()
    document: dict[str, Any] = {"load": load, "bars": _BARS}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        job = {
            "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
            "HOME": folder,
            "TMPDIR": folder,
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            "KSNAPSHOT_GLOBALS": "false",
            "POSTGRESQL_USERNAME": "u",
            "POSTGRESQL_PASSWORD": "p",
            "HOSTNAME": "bench",
        }
        document |= _two_stores(stack, job, options)
        document |= _four_parts(stack, job, options)
    print(json.dumps(document, indent=2))


def _two_stores(
    stack: ExitStack, job: dict[str, str], options: argparse.Namespace
) -> dict[str, Any]:
    """Compare a dump into two stores with one into the first of them."""
    # As stores are reached: over plain HTTP every body would be signed with a sha256 besides.
    first, second = (stack.enter_context(s3.start(tls=True)) for _ in range(2))
    database = stack.enter_context(postgres.start())
    rows = (options.mib << 20) // _ROW
    say(f"making {rows} rows")
    name = stack.enter_context(noise_database(database, "bench", rows=rows))
    source = stack.enter_context(TcpProxy(database.host, database.port))
    source.set(Slow(int(options.source * _MEGABYTE)))
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    one = (
        job
        | backend(first)
        | {
            "ENCRYPTION_ENABLED": "true",
            "ENCRYPTION_RECIPIENT": recipient,
            "POSTGRESQL_HOST": "127.0.0.1",
            "POSTGRESQL_PORT": str(source.port),
            "POSTGRESQL_USERNAME": database.user,
            "POSTGRESQL_PASSWORD": database.password,
            "POSTGRESQL_DATABASE": name,
        }
    )
    two = one | {"KSNAPSHOT_STORAGES": "main,offsite"}
    two |= {named_variable(key, "offsite"): value for key, value in backend(second).items()}
    command = [sys.executable, "-m", "dumpers"]
    commands = {"one": (command, one), "two": (command, two)}
    runs, read = _in_turns(commands, source, options.rounds)
    return {
        "source_bytes_read": read,
        "two_over_one": pairs.costs(runs["two"], runs["one"]),
    }


def _four_parts(
    stack: ExitStack, job: dict[str, str], options: argparse.Namespace
) -> dict[str, Any]:
    """Compare four parts at a time with one, where each connection is slow."""
    store = stack.enter_context(s3.start())
    slow = stack.enter_context(HttpProxy("127.0.0.1", store.port))
    slow.set(Slow(int(options.connection * _MEGABYTE), of="request"))
    env = job | {
        **storage_env(store, store.create_bucket("benchmark")),
        "BACKEND_S3_ENDPOINT": slow.url,
        "POSTGRESQL_HOST": "nowhere",
        "POSTGRESQL_DATABASE": "generated",
        SIZE: str(options.mib),
        NOISE: str(options.mib),
    }
    command = [sys.executable, "-m", "tests.integration.dumpers.generated"]
    commands = {
        str(many): (command, env | {"BACKEND_S3_UPLOAD_CONCURRENCY": str(many)}) for many in (1, 4)
    }
    runs, _ = _in_turns(commands, slow, options.rounds)
    return {"four_over_one": pairs.costs(runs["4"], runs["1"])}


def _in_turns(
    commands: dict[str, tuple[list[str], dict[str, str]]],
    proxy: TcpProxy | HttpProxy,
    rounds: int,
) -> tuple[dict[str, list[Run]], dict[str, int]]:
    """Run all commands in turns after one round that does not count; and what each received last.

    The bytes are those that came through the proxy.
    """
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    received: dict[str, int] = {}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        for name, (command, env) in commands.items():
            proxy.forget()
            made = run(command, env, ROOT)
            received[name] = sum(item.received for item in proxy.settled())
            if number:
                runs[name].append(made)
    return runs, received


if __name__ == "__main__":
    main()
