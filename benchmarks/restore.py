"""Reading, verifying and loading a backup over the stock pipe from a local file, in turns.

    python -m benchmarks.restore [--rows 2000000] [--rounds 7] [--read-only]

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

import pyrage

from benchmarks import pairs
from benchmarks.dump import DATA, ROOT
from benchmarks.processes import Run, backend, run, say
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
    parser.add_argument("--read-only", action="store_true", help="leave out the loads")
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
        job = _job(database, store, folder)
        say("dumping")
        run([sys.executable, "-m", "dumpers"], job, ROOT)
        result = json.loads(Path(folder, "result").read_text())
        key = result["keys"][0]
        # To a file as it comes: what this process ever held would count as the peak of the others.
        store.client().download_file(job["BACKEND_BUCKET"], key, job["FILE"])
        load = pairs.load()
        ours = [sys.executable, "-c", "import benchmarks.restore as b; b.read_everything()"]
        document = {
            "load": load,
            "source_mib": round(result["source_bytes"] / 2**20),
            "stored_mib": round(result["stored_bytes"] / 2**20),
            "reading": _compare(options.rounds, ours, ["bash", "-c", READ], job),
            "verifying": _compare(
                options.rounds,
                [sys.executable, "-m", "dumpers", "verify"],
                ["bash", "-c", VERIFY],
                job,
            ),
        }
        if not options.read_only:
            document["loading"] = _compare(
                options.rounds,
                ["bash", "-c", OURS],
                ["bash", "-c", LOAD],
                {**job, "POSTGRESQL_DATABASE": COPY, **database.env(COPY)},
                before=lambda: _make_anew(database),
            )
    print(json.dumps(document, indent=2))


def _job(database: postgres.PostgresServer, store: s3.S3Server, folder: str) -> dict[str, str]:
    """What a dump is told, and both sides of a restore."""
    identity = pyrage.x25519.Identity.generate()
    Path(folder, "key.txt").write_text(str(identity))
    return {
        "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "KSNAPSHOT_ENGINE": "postgresql",
        "KSNAPSHOT_GLOBALS": "false",
        "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
        "KSNAPSHOT_EXCHANGE": folder,
        "KSNAPSHOT_IDENTITY_FILE": f"{folder}/key.txt",
        **backend(store),
        "POSTGRESQL_HOST": database.host,
        "POSTGRESQL_PORT": str(database.port),
        "POSTGRESQL_USERNAME": database.user,
        "POSTGRESQL_PASSWORD": database.password,
        "POSTGRESQL_DATABASE": "bench",
        "HOSTNAME": "bench",
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": str(identity.to_public()),
        "IDENTITY": f"{folder}/key.txt",
        "FILE": f"{folder}/dump.sql.gz.age",
    }


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
