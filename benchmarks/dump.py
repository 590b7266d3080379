"""Pipeline wall time over bare `pg_dump >/dev/null`: same run, same database, in turns.

    python -m benchmarks.dump [--rows 2000000] [--rounds 7] [--against FOLDER]

Beside them the stages of ksnapshot 0.6.0, one after the other: pg_dump and gzip into a file, age
into another, then the upload. Prints one JSON document. Ratios are those of pairs, with their
median, lowest and highest; CPU seconds are those of the process and its children. `--against`
measures another work tree beside this one.

`bound` is the arithmetic bound (see benchmarks.bound), measured anew in each round on the beginning
of this very dump; `pipeline` is the CPU of the dumper's own process, without the dump tool's,
`start` that of a dump of an empty database. The scale of CPU seconds is the kernel's clock tick.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyrage

from benchmarks import pairs
from benchmarks.bound import Stages, ask
from benchmarks.processes import Run, backend, run, say
from dumpers.contract.names import COMPRESSIONS
from tests.testbed.databases import postgres
from tests.testbed.stores import s3
from tests.testbed.toolchain import packages

ROOT = Path(__file__).resolve().parents[1]
# Text like an application's: words that repeat, numbers and times that do not.
DATA = """
CREATE TABLE events AS
SELECT g AS id, md5(g::text) AS token, (g * 7919::bigint) % 1000003 AS account,
       timestamptz '2026-01-01' + g * interval '1 second' AS at,
       (ARRAY['created','updated','deleted','viewed'])[1 + g % 4] || ' an item of the catalogue, '
         || repeat('with some words of text ', (g % 4)::int) AS body
FROM generate_series(1, {rows}) AS g;
"""
# What 0.6.0 did, with its tools; curl in place of its SDK.
STAGES = """
set -euo pipefail
pg_dump | gzip -6 > "$FOLDER/dump.gz"
age -r "$RECIPIENT" -o "$FOLDER/dump.gz.age" "$FOLDER/dump.gz"
printf 'user = "%s:%s"\\naws-sigv4 = "aws:amz:%s:s3"\\n' "$KEY" "$SECRET" "$REGION" |
  curl --silent --show-error --fail --config - --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \\
    --upload-file "$FOLDER/dump.gz.age" "$URL"
rm "$FOLDER"/dump.gz*
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compression", choices=COMPRESSIONS, default=COMPRESSIONS[0])
    parser.add_argument("--against", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    with (
        postgres.start() as database,
        # As stores are reached: over plain HTTP every body would be signed with a sha256 besides.
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        target = backend(store)
        database.create_database("bench")
        say(f"making {options.rows} rows")
        database.psql(DATA.format(rows=options.rows) + "; CHECKPOINT", "bench")
        path = f"{postgres.bin_folder()}:{os.environ['PATH']}"
        bare = {**database.env("bench"), "PATH": path}
        job = {
            "PATH": path,
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            **target,
            "POSTGRESQL_HOST": database.host,
            "POSTGRESQL_PORT": str(database.port),
            "POSTGRESQL_USERNAME": database.user,
            "POSTGRESQL_PASSWORD": database.password,
            "POSTGRESQL_DATABASE": "bench",
            "HOSTNAME": "bench",
            "KSNAPSHOT_COMPRESSION": options.compression,
        }
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        age = job | {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
        trees = {"": ROOT} | ({"against_": options.against} if options.against else {})
        packages.command("age", "age")
        stages = {
            **bare,
            "FOLDER": folder,
            "RECIPIENT": recipient,
            "KEY": store.root.access,
            "SECRET": store.root.secret,
            "REGION": store.region,
            "URL": f"{store.endpoint}/{target['BACKEND_BUCKET']}/stages",
            "CURL_CA_BUNDLE": str(store.ca),
        }
        commands = {
            "bare": ([str(postgres.client("pg_dump"))], bare, ROOT),
            "stages": (["bash", "-c", STAGES], stages, ROOT),
        } | {
            f"{tree}{name}": ([sys.executable, "-m", "dumpers"], env, root)
            for name, env in (("gzip", job), ("gzip_age", age))
            for tree, root in trees.items()
        }
        database.create_database("empty")
        empty = job | {"POSTGRESQL_DATABASE": "empty", "KSNAPSHOT_TERMINATION_LOG": "/dev/null"}
        commands["start"] = ([sys.executable, "-m", "dumpers"], empty, ROOT)
        load = pairs.load()
        runs: dict[str, list[Run]] = {name: [] for name in commands}
        stages_alone: list[Stages] = []
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            for name, command in commands.items():
                made = run(*command)
                if number:
                    runs[name].append(made)
            if number:
                stages_alone.append(ask(commands["bare"][0], bare, options.compression))
        result = json.loads(Path(folder, "result").read_text())
    ours = [name for name in commands if name not in {"bare", "start"}]
    dumps = [name for name in ours if name != "stages"]
    document = {
        "load": load,
        "source_mib": round(result["source_bytes"] / 2**20),
        "stored_mib": round(result["stored_bytes"] / 2**20),
        "bare_seconds": round(statistics.median(one.wall for one in runs["bare"]), 2),
        "wall_over_bare": {name: pairs.wall(runs[name], runs["bare"]) for name in ours},
        "cpu_seconds": {
            name: round(statistics.median(one.cpu for one in made), 2)
            for name, made in runs.items()
        },
        "stages_over": {
            name: pairs.wall(runs["stages"], runs[name]) for name in ours if name != "stages"
        },
        "over_against": {
            name: pairs.costs(runs[name], runs[f"against_{name}"])
            for name in ours
            if f"against_{name}" in runs
        },
        "dumper_peak_mib": round(max(one.peak for name in dumps for one in runs[name]) / 2**10),
        "bound": _bound(stages_alone, runs, dumps, source_bytes=result["source_bytes"]),
    }
    print(json.dumps(document, indent=2))


def _bound(
    alone: Sequence[Stages],
    runs: Mapping[str, Sequence[Run]],
    dumps: Sequence[str],
    *,
    source_bytes: int,
) -> dict[str, Any]:
    bounds = {
        name: [one.bound(source_bytes, encrypted=name.endswith("age")) for one in alone]
        for name in dumps
    }
    start = [one.own for one in runs["start"]]
    net = {
        name: [one.own - begun for one, begun in zip(runs[name], start, strict=True)]
        for name in dumps
    }
    return {
        "seconds_per_gb_alone": {
            field.name: round(statistics.median(getattr(one, field.name) for one in alone), 3)
            for field in fields(Stages)
        },
        "bound_seconds": {name: round(statistics.median(made), 2) for name, made in bounds.items()},
        "pipeline_seconds": {
            name: round(statistics.median(one.own for one in runs[name]), 2) for name in dumps
        },
        "start_seconds": round(statistics.median(start), 2),
        "pipeline_over_bound": {
            name: pairs.spread([one.own for one in runs[name]], bounds[name]) for name in dumps
        },
        "without_start_over_bound": {name: pairs.spread(net[name], bounds[name]) for name in dumps},
    }


if __name__ == "__main__":
    main()
