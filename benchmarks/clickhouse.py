"""A ClickHouse dump over a bare `curl … FORMAT Native >/dev/null`: same run, same tables, in turns.

    python -m benchmarks.clickhouse [--rows 4000000] [--rounds 7] [--tiny 10000] [--against FOLDER]

Two shards of one replica, four tables each; curl has as many streams as the dump. `--tiny` tables
of one row are dumped once, in a database of their own. Prints one JSON document. Ratios are those
of pairs, with their median, lowest and highest. `--against` measures another work tree, too.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.processes import Run, backend, run, say
from tests.testbed.databases import clickhouse
from tests.testbed.databases.clickhouse import Cluster
from tests.testbed.stores import s3

ROOT = Path(__file__).resolve().parents[1]
_TABLES = ("a", "b", "c", "d")
_PARALLELISM = 2
_COLUMNS = "id, at, account, price, body, kind"
_CREATE = (
    "CREATE TABLE bench.{name} (id UInt64, at DateTime, account UInt32, price Float64, "
    "body String, kind String) ENGINE = MergeTree ORDER BY id"
)
_FILL = (
    "INSERT INTO bench.{name} SELECT number, 1700000000 + number, cityHash64(number) % 1000003, "
    "number / 7, concat('an item of the catalogue, with some words ', toString(number % 977)), "
    "arrayElement(['created', 'updated', 'deleted'], 1 + number % 3) FROM numbers({rows})"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tiny", type=int, default=10_000)
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with (
        clickhouse.start_cluster(shards=2, replicas=1) as cluster,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        say(f"making {len(_TABLES)} tables of {options.rows} rows on each shard")
        cluster.everywhere("CREATE DATABASE bench")
        for name in _TABLES:
            cluster.everywhere(_CREATE.format(name=name))
            cluster.everywhere(_FILL.format(name=name, rows=options.rows))
        job = _job(cluster, store, folder)
        one = f"{cluster.replica(1, 1).host}:{cluster.http_port}"
        dumper = [sys.executable, "-m", "dumpers"]
        commands = {
            "curl": (["bash", "-c", _curl(cluster)], {"PATH": os.environ["PATH"]}, ROOT),
            "dump": (dumper, job, ROOT),
            "one_shard": (dumper, {**job, "CLICKHOUSE_SHARDS": one}, ROOT),
        }
        if options.against:
            commands["against"] = (dumper, job, options.against)
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, command in commands.items():
                made = run(*command)
                if number:
                    runs[name].append(made)
                if name == "dump":
                    result = json.loads(Path(folder, "result").read_text())
        tiny = _tiny(cluster, job, options.tiny) if options.tiny else None
    document: dict[str, Any] = {
        "load": load,
        "source_mib": round(result["source_bytes"] / 2**20),
        "stored_mib": round(result["stored_bytes"] / 2**20),
        "curl_seconds": round(statistics.median(one.wall for one in runs["curl"]), 2),
        "throughput_of_curl": pairs.wall(runs["curl"], runs["dump"]),
        "two_shards_over_one": pairs.wall(runs["dump"], runs["one_shard"]),
        "dump_cpu_seconds": round(statistics.median(one.cpu for one in runs["dump"]), 2),
        "dump_peak_mib": round(max(one.peak for one in runs["dump"]) / 2**10),
    }
    if options.against:
        document["over_against"] = pairs.costs(runs["dump"], runs["against"])
    if tiny:
        document |= {
            "tiny_tables": options.tiny,
            "tiny_seconds": round(tiny.wall, 1),
            "tiny_peak_mib": round(tiny.peak / 2**10),
        }
    print(json.dumps(document, indent=2))


def _job(cluster: Cluster, store: s3.S3Server, folder: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "KSNAPSHOT_ENGINE": "clickhouse",
        "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
        "KSNAPSHOT_DATABASES": "bench",
        "CLICKHOUSE_PARALLELISM": str(_PARALLELISM),
        **backend(store),
        "CLICKHOUSE_HOST": cluster.replica(1, 1).host,
        "CLICKHOUSE_PORT": str(cluster.http_port),
        "CLICKHOUSE_USERNAME": cluster.reader.user,
        "CLICKHOUSE_PASSWORD": cluster.reader.password,
        "HOSTNAME": "bench",
    }


def _curl(cluster: Cluster) -> str:
    """As many curls as the dump has streams, each with half of a shard's tables."""
    login = f"X-ClickHouse-User: {cluster.reader.user}"
    password = f"X-ClickHouse-Key: {cluster.reader.password}"
    lines = []
    for replica in cluster.replicas:
        for first in range(_PARALLELISM):
            reads = " && ".join(
                f"curl --silent --fail --header '{login}' --header '{password}' --data-binary "
                f"'SELECT {_COLUMNS} FROM bench.{name} FORMAT Native' "
                f"http://{replica.host}:{replica.http_port}/ > /dev/null"
                for name in _TABLES[first::_PARALLELISM]
            )
            lines.append(f"( {reads} ) &")
    return "\n".join([*lines, "wait"])


def _tiny(cluster: Cluster, job: dict[str, str], count: int) -> Run:
    say(f"making {count} tables of one row on the first shard")
    first = cluster.replica(1, 1)
    first.sql("CREATE DATABASE tiny")
    for start in range(0, count, 500):
        script = "".join(
            f"CREATE TABLE tiny.t{number} (id UInt64, s String) ENGINE = MergeTree ORDER BY id;"
            f"INSERT INTO tiny.t{number} SELECT number, 'x' FROM numbers(1);"
            for number in range(start, min(start + 500, count))
        )
        first.client("", stdin=script.encode())
    say("dumping them")
    one = f"{first.host}:{cluster.http_port}"
    return run(
        [sys.executable, "-m", "dumpers"],
        {**job, "KSNAPSHOT_DATABASES": "tiny", "CLICKHOUSE_SHARDS": one},
        ROOT,
    )


if __name__ == "__main__":
    main()
