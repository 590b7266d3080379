"""What planning retention costs: records read into entries, and judged.

    python -m benchmarks.retention [--records 10000] [--objects 4] [--runs 5]

The records are manifests of hourly backups of one CronJob, in the form that the bucket has, each
read as it comes. Prints one JSON document: seconds as median, lowest and highest, and the peak
memory of the process in MiB, which includes all entries and verdicts.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from dumpers.repository.catalogue import Entry, read_entry
from dumpers.repository.keys import MANIFEST, STARTED, stamp
from dumpers.repository.record_json import write_record
from dumpers.repository.records import Encryption, Manifest, ObjectRecord, StartedRecord
from dumpers.repository.retention.plan import Rules, plan
from dumpers.repository.retention.policy import parse_policy
from dumpers.repository.retention.proof import Grade, read_proofs

_NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
_PREFIX = "manifests/c/cj/"
_POLICY = (
    "keep-last=7,keep-hourly=24,keep-daily=14,keep-weekly=8,keep-monthly=12,keep-yearly=3,"
    "keep-within=30d"
)
_FLOOR = "keep-last=3,keep-within=7d"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    reading: list[float] = []
    planning: list[float] = []
    deleted = 0
    for _ in range(options.runs):
        entries, spent = _read(options.records, options.objects)
        reading.append(spent)
        begun = time.perf_counter()
        rules = Rules(
            policy=parse_policy(_POLICY),
            floor=parse_policy(_FLOOR),
            zone=ZoneInfo("Europe/Paris"),
            required=Grade.STORED,
        )
        verdicts = plan(entries, rules, cluster="c", proofs=read_proofs(entries), now=_NOW)
        planning.append(time.perf_counter() - begun)
        deleted = sum(not verdict.keep for verdict in verdicts)
    document = {
        "records": options.records,
        "deleted": deleted,
        "read_seconds": _spread(reading),
        "plan_seconds": _spread(planning),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(document, indent=2))


def _read(records: int, objects: int) -> tuple[list[Entry], float]:
    """The entries, and the seconds that reading their records took."""
    entries, spent = [], 0.0
    for folder, body in _bodies(records, objects):
        begun = time.perf_counter()
        entries.append(read_entry(_PREFIX, folder, {STARTED, MANIFEST}, body, now=_NOW))
        spent += time.perf_counter() - begun
    return entries, spent


def _bodies(records: int, objects: int) -> Iterator[tuple[str, bytes]]:
    for number in range(records):
        started = _NOW - timedelta(hours=number)
        keys = tuple(f"{started:%Y/%m/%d}/postgresql/dump-{item}.sql.gz" for item in range(objects))
        begun = StartedRecord(
            run=f"r{number:08}",
            cluster="c",
            workload="production/database",
            cronjob="cj",
            pod=f"cj-{number}-abcde",
            engine="postgresql",
            bucket="backups",
            started=started,
            deadline_seconds=14_400,
            keys=keys,
        )
        manifest = Manifest(
            begun=begun,
            finished=started + timedelta(minutes=5),
            server_version="17.1",
            tool_version="pg_dump 17.1",
            encryption=Encryption(recipients=("age1" + "q" * 58,)),
            objects=tuple(_object(key, number) for key in keys),
        )
        yield f"{stamp(started)}-{begun.run}", write_record(manifest)


def _object(key: str, number: int) -> ObjectRecord:
    return ObjectRecord(
        key=key,
        name="shop",
        ending=".sql",
        size=10**8 + number,
        sha256=f"{number:064x}",
        crc32="00000000",
        source_size=10**9 + number,
        source_sha256=f"{number:064x}",
        checked=True,
    )


def _spread(seconds: list[float]) -> dict[str, float]:
    found = {"median": median(seconds), "lowest": min(seconds), "highest": max(seconds)}
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    main()
