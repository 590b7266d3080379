"""What a survey costs beside the dump that it belongs to: same run, same database, in turns.

    python -m benchmarks.survey [--engine postgresql] [--tables 10000] [--rows 100] [--pairs 5]
        [--choose half]

A survey is all that an engine asks before its first object is read; the dump is a whole one, to a
store, of tables or indices with some small rows each. CPU seconds are those of the client with its
tools, and of the server. With `--choose` annotations choose all of the tables or half of them, in
PostgreSQL by their schema, which its survey has more to ask about: it looks at all of them in
either case. Prints one JSON document, with the survey's share of the dump as median, lowest and
highest.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.processes import Run, backend, cpu_of, say
from tests.testbed.databases import clickhouse, mysql, postgres, search
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
# Documents of many indices in one request.
_INDICES_AT_ONCE = 50
_SEARCH = "opensearch-3"
# As many indices as a single node takes well.
_MOST = {"search": 2000}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A server with the tables: its process, and what a job is told of it."""

    pid: int
    env: Mapping[str, str]
    all_chosen: Mapping[str, str]
    half_chosen: Mapping[str, str]


@contextmanager
def _postgresql(tables: int, rows: int) -> Iterator[_Place]:
    with postgres.start(options={"max_locks_per_transaction": str(tables // 50 + 64)}) as server:
        server.create_database("bench")
        for schema in ("one", "two"):
            server.psql(f"CREATE SCHEMA {schema}", "bench")
        for first in range(0, tables, _BATCH):
            schema = "one" if first < tables // 2 else "two"
            server.psql(
                f"""DO $$ BEGIN FOR i IN {first + 1}..{min(first + _BATCH, tables)} LOOP
                EXECUTE format('CREATE TABLE {schema}.t%s (id int PRIMARY KEY,
                  name text DEFAULT %L, at timestamptz DEFAULT now())', i, 'x');
                EXECUTE format('INSERT INTO {schema}.t%s SELECT g, %L || g
                  FROM generate_series(1, {rows}) g', i, 'row ');
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
            all_chosen={"KSNAPSHOT_SCHEMAS": "one,two"},
            half_chosen={"KSNAPSHOT_SCHEMAS": "one"},
        )


@contextmanager
def _mysql(tables: int, rows: int, *, name: str = mysql.NEWEST) -> Iterator[_Place]:
    with mysql.start(name) as server:
        server.create_database("bench")
        server.create_database("seed")
        server.sql("CREATE TABLE rows_ (id int PRIMARY KEY)", "seed")
        listed = ",".join(f"({number})" for number in range(1, rows + 1))
        server.sql(f"INSERT INTO rows_ VALUES {listed or '(0)'}", "seed")
        for first in range(0, tables, _BATCH):
            text = "(id int PRIMARY KEY, name varchar(40) DEFAULT 'x', at datetime)"
            server.sql(
                "".join(
                    f"CREATE TABLE t{number} {text};"
                    f"INSERT INTO t{number} SELECT id, CONCAT('row ', id), NOW() FROM seed.rows_"
                    f" LIMIT {rows};"
                    for number in range(first, min(first + _BATCH, tables))
                ),
                "bench",
            )
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
            all_chosen={"KSNAPSHOT_TABLES": _names(tables)},
            half_chosen={"KSNAPSHOT_TABLES": _names(tables // 2)},
        )


def _names(tables: int) -> str:
    return ",".join(f"t{number}" for number in range(tables))


@contextmanager
def _clickhouse(tables: int, rows: int) -> Iterator[_Place]:
    with clickhouse.start_cluster(shards=1, replicas=1) as cluster:
        [server] = cluster.replicas
        server.sql("CREATE DATABASE bench")
        for first in range(0, tables, _BATCH):
            script = "".join(
                f"CREATE TABLE bench.t{number} (id UInt64, name String, at DateTime) "
                "ENGINE = MergeTree ORDER BY id;"
                f"INSERT INTO bench.t{number} SELECT number, concat('row ', toString(number)), "
                f"now() FROM numbers({rows});"
                for number in range(first, min(first + _BATCH, tables))
            )
            server.client("", stdin=script.encode())
        yield _Place(
            pid=server.daemon.pid,
            env={
                "KSNAPSHOT_ENGINE": "clickhouse",
                "PATH": os.environ["PATH"],
                "KSNAPSHOT_DATABASES": "bench",
                "CLICKHOUSE_HOST": server.host,
                "CLICKHOUSE_PORT": str(cluster.http_port),
                "CLICKHOUSE_USERNAME": cluster.reader.user,
                "CLICKHOUSE_PASSWORD": cluster.reader.password,
            },
            all_chosen={"KSNAPSHOT_TABLES": "t*"},
            half_chosen={"KSNAPSHOT_TABLES": "t*[02468]"},
        )


@contextmanager
def _search(tables: int, rows: int) -> Iterator[_Place]:
    with search.start(_SEARCH, heap="1g") as server:
        limit = {"cluster.max_shards_per_node": tables + 1000}
        server.ask("PUT", "/_cluster/settings", {"persistent": limit})
        settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
        mappings = {"properties": {"n": {"type": "long"}, "name": {"type": "keyword"}}}
        template = {"settings": settings, "mappings": mappings}
        body = {"index_patterns": ["one-*", "two-*"], "template": template}
        server.ask("PUT", "/_index_template/bench", body)
        for first in range(0, tables, _INDICES_AT_ONCE):
            lines = [
                f'{{"index":{{"_index":"{"one" if number < tables // 2 else "two"}-{number}"}}}}\n'
                f'{{"n":{row},"name":"row {row}"}}\n'
                for number in range(first, min(first + _INDICES_AT_ONCE, tables))
                for row in range(rows)
            ]
            answer = server.ask("POST", "/_bulk", "".join(lines))
            assert not answer["errors"], answer
        server.ask("PUT", "/_all/_settings", {"index": {"refresh_interval": "1s"}})
        server.ask("POST", "/_all/_refresh")
        yield _Place(
            pid=server.pid,
            env={
                "KSNAPSHOT_ENGINE": "elasticsearch",
                "PATH": os.environ["PATH"],
                "ELASTICSEARCH_HOST": server.host,
                "ELASTICSEARCH_PORT": str(server.port),
            },
            all_chosen={"KSNAPSHOT_INDICES": "one-*,two-*"},
            half_chosen={"KSNAPSHOT_INDICES": "one-*"},
        )


_ENGINES: Mapping[str, Callable[[int, int], AbstractContextManager[_Place]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": partial(_mysql, name="mariadb-11.4"),
    "clickhouse": _clickhouse,
    "search": _search,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--engine", choices=_ENGINES, default="postgresql")
    parser.add_argument("--tables", type=int)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--choose", choices=["all", "half"])
    options = parser.parse_args()
    tables = options.tables or _MOST.get(options.engine, 10_000)
    say(f"making {tables} tables of {options.rows} rows")
    with (
        _ENGINES[options.engine](tables, options.rows) as place,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        chosen = {"all": place.all_chosen, "half": place.half_chosen}
        env = {
            **place.env,
            **(chosen[options.choose] if options.choose else {}),
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
        "tables": tables,
        "rows": options.rows,
        "chosen": options.choose,
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
    before, began = cpu_of(server), time.monotonic()
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
    cpu = usage.ru_utime + usage.ru_stime + cpu_of(server) - before
    return Run(wall=wall, cpu=cpu, peak=usage.ru_maxrss)


if __name__ == "__main__":
    main()
