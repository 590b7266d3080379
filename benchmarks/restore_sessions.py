"""Restores of PostgreSQL by one session and by several: same run, same backup, in turns.

    python -m benchmarks.restore_sessions [--rows 1000000] [--rounds 7] [--sessions 2]

Eight tables with eight indexes each, of which one holds four fifths of the rows, dumped by one
stream and by several, are restored beside, by the two processes of a restore. Prints one JSON
document. Ratios are those of pairs, with their median, lowest and highest; CPU seconds are those of
the restore's own processes. Server, store and restore share the machine's cores.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import pairs
from benchmarks.dump import ROOT
from benchmarks.encrypted_job import make_job
from benchmarks.processes import Run, run, say
from benchmarks.restore import OURS
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from tests.testbed.databases import postgres
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.stores import s3

_TABLES = 8
_LARGEST = 0.8
_DATABASE, _COPY = "bench", "bench_restored"
_TABLE = """
CREATE TABLE t{number} (id int PRIMARY KEY, a int, b int, c bigint, d text, e text, at timestamptz);
INSERT INTO t{number} SELECT g, g % 1009, (g::bigint * 7919) % {rows}, g::bigint * g, md5(g::text),
  'item ' || g % 977, '2026-01-01'::timestamptz + g * interval '1 s'
  FROM generate_series(1, {rows}) g;
CREATE INDEX ON t{number} (a);
CREATE INDEX ON t{number} (b);
CREATE INDEX ON t{number} (c);
CREATE INDEX ON t{number} (d);
CREATE INDEX ON t{number} (e);
CREATE INDEX ON t{number} (at);
CREATE INDEX ON t{number} (a, b);
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sessions", type=int, default=2)
    options = parser.parse_args()
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory(prefix="ks-") as folder,
    ):
        _fill(database, options.rows)
        job = make_job(database, store, folder)
        jobs: dict[str, Mapping[str, str]] = {}
        for name, streams in (("one_stream", 1), ("streams", options.sessions)):
            own = {**job, "KSNAPSHOT_CRONJOB": f"bench-{streams}"}
            say(f"dumping by {streams}")
            run(
                [sys.executable, "-m", "dumpers"],
                own | {"KSNAPSHOT_PARALLELISM": str(streams)},
                ROOT,
            )
            for sessions in (1, options.sessions):
                request = RestoreRequest(mode=RestoreMode.BESIDE, parallelism=sessions)
                asked = {"KSNAPSHOT_RESTORE": request.to_json()}
                jobs[f"{name}_{sessions}"] = own | asked
        source = json.loads(Path(folder, "result").read_text())["source_bytes"]
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in jobs}
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, env in jobs.items():
                database.psql(f"DROP DATABASE IF EXISTS {_COPY}")
                database.psql("CHECKPOINT")
                made = run(["bash", "-c", OURS], env, ROOT)
                if number:
                    runs[name].append(made)
    several = options.sessions
    document = {
        "load": load,
        "source_mib": round(source / 2**20),
        "sessions": several,
        "of_one_stream": pairs.costs(runs[f"one_stream_{several}"], runs["one_stream_1"]),
        "of_streams": pairs.costs(runs[f"streams_{several}"], runs["streams_1"]),
        "streams_over_one": pairs.costs(runs[f"streams_{several}"], runs["one_stream_1"]),
        "seconds": {
            name: round(statistics.median(one.wall for one in made), 2)
            for name, made in runs.items()
        },
    }
    print(json.dumps(document, indent=2))


def _fill(database: PostgresServer, rows: int) -> None:
    database.create_database(_DATABASE)
    say(f"making {rows} rows")
    small = round(rows * (1 - _LARGEST) / (_TABLES - 1))
    for number in range(_TABLES):
        count = small if number else round(rows * _LARGEST)
        database.psql(_TABLE.format(number=number, rows=count), _DATABASE)
    database.psql("VACUUM ANALYZE", _DATABASE)


if __name__ == "__main__":
    main()
