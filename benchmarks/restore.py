"""Reading a backup over `age -d | gunzip` from a local file: same object, same run, in turns.

    python -m benchmarks.restore [--rows 2000000] [--rounds 7]

Ours downloads from a store that speaks TLS, decrypts, unpacks and checks all digests, to /dev/null.
The stock tools read a local file, and check nothing but what age and gzip check by themselves.
Prints one JSON document with the ratios of pairs, their median, lowest and highest.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import pyrage

from benchmarks import pairs
from benchmarks.dump import DATA, ROOT
from benchmarks.processes import Run, backend, run, say
from tests.testbed.databases import postgres
from tests.testbed.stores import s3
from tests.testbed.toolchain import packages

STOCK = 'set -euo pipefail; age -d -i "$IDENTITY" "$FILE" | gunzip >/dev/null'


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
    options = parser.parse_args()
    with (
        postgres.start() as database,
        s3.start(tls=True) as store,
        tempfile.TemporaryDirectory() as folder,
    ):
        target = backend(store)
        database.create_database("bench")
        say(f"making {options.rows} rows")
        database.psql(DATA.format(rows=options.rows), "bench")
        identity = pyrage.x25519.Identity.generate()
        key, file = Path(folder, "key.txt"), Path(folder, "dump.sql.gz.age")
        key.write_text(str(identity))
        job = {
            "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_GLOBALS": "false",
            "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
            **target,
            "POSTGRESQL_HOST": database.host,
            "POSTGRESQL_PORT": str(database.port),
            "POSTGRESQL_USERNAME": database.user,
            "POSTGRESQL_PASSWORD": database.password,
            "POSTGRESQL_DATABASE": "bench",
            "HOSTNAME": "bench",
            "ENCRYPTION_ENABLED": "true",
            "ENCRYPTION_RECIPIENT": str(identity.to_public()),
            "IDENTITY": str(key),
            "FILE": str(file),
        }
        say("dumping")
        run([sys.executable, "-m", "dumpers"], job, ROOT)
        result = json.loads(Path(folder, "result").read_text())
        file.write_bytes(store.read(target["BACKEND_BUCKET"], result["keys"][0]))
        packages.command("age", "age")
        ours = [sys.executable, "-c", "import benchmarks.restore as b; b.read_everything()"]
        load = pairs.load()
        runs: dict[str, list[Run]] = {"ours": [], "stock": []}
        for number in range(options.rounds + 1):
            say(f"round {number} of {options.rounds}" if number else "warming up")
            made = {
                "ours": run(ours, job, ROOT),
                "stock": run(["bash", "-c", STOCK], job, ROOT),
            }
            if number:
                for name, one in made.items():
                    runs[name].append(one)
    document = {
        "load": load,
        "source_mib": round(result["source_bytes"] / 2**20),
        "stored_mib": round(result["stored_bytes"] / 2**20),
        "ours_over_stock": pairs.costs(runs["ours"], runs["stock"]),
        "cpu_seconds": {
            name: round(statistics.median(one.cpu for one in made), 2)
            for name, made in runs.items()
        },
        "our_peak_mib": round(max(one.peak for one in runs["ours"]) / 2**10),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
