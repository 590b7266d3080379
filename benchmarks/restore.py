"""Reading, verifying and loading a backup over the stock pipe from a local file, in turns.

    python -m benchmarks.restore [--rows 2000000] [--rounds 7] [--only loading]

Ours downloads from a store that speaks TLS, decrypts, unpacks and checks all digests, first to
/dev/null, then as a scheduled verification does, then by the two processes of a restore into an
empty database. The stock tools read a local file, and check nothing but what age and gzip check by
themselves: `age -d | gunzip`, then with `sha256sum` and with `psql` behind. Prints one JSON
document with the ratios of pairs, their median, lowest and highest. CPU seconds are those of the
client's side, without the server's and the store's.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import pairs
from benchmarks.dump import DATA, ROOT
from benchmarks.encrypted_job import make_job
from benchmarks.processes import Run, run, say
from tests.testbed.databases import postgres
from tests.testbed.stores import s3
from tests.testbed.toolchain import packages

READ = 'set -euo pipefail; age -d -i "$IDENTITY" "$FILE" | gunzip >/dev/null'
VERIFY = 'set -euo pipefail; age -d -i "$IDENTITY" "$FILE" | gunzip | sha256sum'
LOAD = """
set -euo pipefail
{ echo 'BEGIN;' && age -d -i "$IDENTITY" "$FILE" | gunzip && echo 'COMMIT;'; } |
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$POSTGRESQL_DATABASE"
"""
OURS = """
set -euo pipefail
"$PYTHON" -m dumpers restore &
"$PYTHON" -m dumpers load
wait $!
"""
COPY = "restored"


def read_everything() -> None:
    """Read the newest backup of the environment's CronJob to its proven end; see `main`."""
    from dumpers.cli.clock import now  # noqa: PLC0415  only in the process that is measured
    from dumpers.contract.restore.jobs import BackupJob  # noqa: PLC0415
    from dumpers.repository.keys import records_prefix  # noqa: PLC0415
    from dumpers.repository.listing import Catalogue  # noqa: PLC0415
    from dumpers.runs.restore.pieces import StoredBackup, read_identity_file  # noqa: PLC0415
    from dumpers.runtime.interrupt import Interrupt  # noqa: PLC0415
    from dumpers.storage.run_storage import RunStorage  # noqa: PLC0415

    job = BackupJob.from_env(os.environ)
    prefix = records_prefix(path=job.location.path, cluster=job.cluster, cronjob=job.cronjob)
    with RunStorage(job.location, run="read", interrupt=Interrupt()) as storage:
        catalogue = Catalogue(storage=storage, prefix=prefix, now=now)
        manifest = catalogue.manifest(catalogue.find("latest"))
        keys = read_identity_file(os.environ["IDENTITY"], manifest)
        found = StoredBackup(storage=storage, manifest=manifest, identities=keys)
        for place in range(len(manifest.objects)):
            with found.open(place) as reader, Path(os.devnull).open("wb") as sink:
                while block := reader.read():
                    sink.write(block)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["reading", "verifying", "loading"])
    options = parser.parse_args()
    packages.command("age", "age")
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory(prefix="ks-") as folder,
    ):
        database.create_database("bench")
        say(f"making {options.rows} rows")
        database.psql(DATA.format(rows=options.rows), "bench")
        job = {
            **make_job(database, store, folder),
            "IDENTITY": f"{folder}/key.txt",
            "FILE": f"{folder}/dump.sql.gz.age",
        }
        say("dumping")
        run([sys.executable, "-m", "dumpers"], job, ROOT)
        result = json.loads(Path(folder, "result").read_text())
        key = result["keys"][0]
        # To a file as it comes: what this process ever held would count as the peak of the others.
        store.client().download_file(job["BACKEND_BUCKET"], key, job["FILE"])
        load = pairs.load()
        reading = [sys.executable, "-c", "import benchmarks.restore as b; b.read_everything()"]
        verifying = [sys.executable, "-m", "dumpers", "verify"]
        into = {**job, "POSTGRESQL_DATABASE": COPY, **database.env(COPY)}
        kinds: Mapping[str, Callable[[], Mapping[str, Any]]] = {
            "reading": lambda: _compare(options.rounds, reading, ["bash", "-c", READ], job),
            "verifying": lambda: _compare(options.rounds, verifying, ["bash", "-c", VERIFY], job),
            "loading": lambda: _compare(
                options.rounds,
                ["bash", "-c", OURS],
                ["bash", "-c", LOAD],
                into,
                before=lambda: _make_anew(database),
            ),
        }
        document = {
            "load": load,
            "source_mib": round(result["source_bytes"] / 2**20),
            "stored_mib": round(result["stored_bytes"] / 2**20),
            **{name: measure() for name, measure in kinds.items() if options.only in {None, name}},
        }
    print(json.dumps(document, indent=2))


def _make_anew(database: postgres.PostgresServer) -> None:
    database.psql(f"DROP DATABASE IF EXISTS {COPY}")
    database.create_database(COPY)
    database.psql("CHECKPOINT")


def _compare(
    rounds: int,
    ours: Sequence[str],
    stock: Sequence[str],
    env: Mapping[str, str],
    *,
    before: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Run both in turns, after a first pair that does not count."""
    runs: dict[str, list[Run]] = {"ours": [], "stock": []}
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "warming up")
        for name, command in (("ours", ours), ("stock", stock)):
            before()
            one = run(command, env, ROOT)
            if number:
                runs[name].append(one)
    return {
        "ours_over_stock": pairs.costs(runs["ours"], runs["stock"]),
        "seconds": {
            name: {
                "cpu": round(statistics.median(one.cpu for one in made), 2),
                "wall": round(statistics.median(one.wall for one in made), 2),
            }
            for name, made in runs.items()
        },
        "our_peak_mib": round(max(one.peak for one in runs["ours"]) / 2**10),
    }


if __name__ == "__main__":
    main()
