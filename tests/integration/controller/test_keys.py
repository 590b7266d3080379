"""Which backups a key opens: the headers that the job reads in a real store, and keys on them."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest

from controller.client.keys.age_library import AgeLibrary
from controller.client.keys.age_program import AgeProgram
from controller.client.keys.key_check import Verdict, check_key
from dumpers.repository.keys import Run
from dumpers.repository.record_json import write_record
from dumpers.repository.records import StartedRecord
from tests.paths import REPOSITORY
from tests.testbed.dumper import storage_env
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.backups import make_backup
from tests.testbed.stores.s3 import READ, S3Server
from tests.testbed.toolchain.require import require_command

IDENTITY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
BIG = bytes(2 << 20)


@pytest.fixture
def proxy(s3: S3Server, faults: Faults) -> HttpProxy:
    return faults.http(s3.port)


@pytest.fixture
def env(s3: S3Server, bucket: str, proxy: HttpProxy, tmp_path: Path) -> dict[str, str]:
    """That of a job whose keys may only read."""
    keys = s3.create_user(f"reader-{bucket}")
    s3.allow(bucket, {keys.access: READ})
    return {
        "PATH": "/usr/bin:/bin",
        **storage_env(s3, bucket),
        "BACKEND_S3_ENDPOINT": proxy.url,
        "BACKEND_S3_ACCESS_KEY": keys.access,
        "BACKEND_S3_SECRET_KEY": keys.secret,
        "KSNAPSHOT_CLUSTER": "test",
        "HOSTNAME": "pod",
        "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination"),
    }


def headers(env: dict[str, str]) -> list[dict[str, Any]]:
    """The documents of the job."""
    done = subprocess.run(
        [sys.executable, "-m", "dumpers", "headers"],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *found, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert end == {"keys": "end", "cronjobs": len(found)}
    written = Path(env["KSNAPSHOT_TERMINATION_LOG"]).read_text()
    assert json.loads(written)["objects"] == len(found)
    return found


def started(s3: S3Server, bucket: str, cronjob: str, moment: datetime) -> None:
    """A run that goes on, or crashed: it is no backup."""
    run = Run(path="ksnapshot", cluster="test", cronjob=cronjob, host="pod", started=moment, id="r")
    record = StartedRecord(
        run="r",
        cluster="test",
        workload="demo/x",
        cronjob=cronjob,
        pod="pod",
        engine="postgresql",
        bucket=bucket,
        started=moment,
        deadline_seconds=60,
        keys=(),
    )
    s3.client().put_object(Bucket=bucket, Key=run.started_key, Body=write_record(record))


def test_keys_and_the_headers_of_the_newest_backups(
    s3: S3Server, bucket: str, proxy: HttpProxy, env: dict[str, str]
) -> None:
    def store(name: str, *recipients: object, **options: Any) -> list[str]:
        made = make_backup(
            s3,
            bucket,
            options.pop("contents", {("shop",): BIG}),
            cluster=options.pop("cluster", "test"),
            cronjob=f"c-{name}",
            workload=f"demo/{name}",
            recipients=recipients,
            **options,
        )
        return list(made.keys)

    mine, other = IDENTITY.to_public(), OTHER.to_public()
    store("mine", mine)
    store("both", other, mine)
    store("other", other)
    store("clear")
    # The newest backup counts, whatever came before it, or after it without being one.
    store("rotated", mine)
    later = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    store("rotated", other, started=later, run_id="aaaaaaaaaaaa")
    started(s3, bucket, "c-rotated", datetime(2026, 3, 3, tzinfo=UTC))
    started(s3, bucket, "c-none", datetime(2026, 3, 3, tzinfo=UTC))
    # A header that is longer than what is read at first.
    many = [pyrage.x25519.Identity.generate().to_public() for _ in range(60)]
    store("many", *many, mine)
    [gone] = store("gone", mine)
    s3.client().delete_object(Bucket=bucket, Key=gone)
    [damaged] = store("damaged", mine)
    s3.client().put_object(Bucket=bucket, Key=damaged, Body=b"no age file at all")
    store("elsewhere", mine, cluster="another")

    found = headers(env)
    program, keygen = (require_command(name, "age") for name in ("age", "age-keygen"))
    for age in (AgeProgram(program=program, keygen=keygen), AgeLibrary()):
        rows = {
            row.workload: row for row in check_key(found, (), age=age, identity=f"{IDENTITY}\n")
        }
        assert {name: str(row.verdict) for name, row in rows.items()} == {
            "demo/both": Verdict.OPENS,
            "demo/clear": Verdict.CLEAR,
            "demo/damaged": Verdict.UNREADABLE,
            "demo/gone": Verdict.UNREADABLE,
            "demo/many": Verdict.OPENS,
            "demo/mine": Verdict.OPENS,
            "c-none": Verdict.NONE,
            "demo/other": Verdict.OTHER,
            "demo/rotated": Verdict.OTHER,
        }
    assert rows["demo/rotated"].backup == "aaaaaaaaaaaa"
    assert rows["demo/rotated"].recipients == (str(other),)
    assert "NoSuchKey" in rows["demo/gone"].why
    assert "does not begin as an age file" in rows["demo/damaged"].why
    # Nothing but beginnings were read.
    received = sum(seen.received for seen in proxy.settled("GET", r"\.age"))
    assert received < 100_000
    [elsewhere] = headers(env | {"KSNAPSHOT_CLUSTER": "another"})
    assert elsewhere["workload"] == "demo/elsewhere"
