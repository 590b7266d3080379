"""Peak memory of a dumper for streams of several sizes, from a generator in a database's place.

    python -m benchmarks.memory [--mib 1024 20480] [--noise-mib 400]

Prints one line of JSON a run. The peak is that of the dumper's own process; `on_disk` counts bytes
of the files that it leaves where it may write.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyrage

from tests.integration.dumpers.generated import NOISE, SIZE
from tests.testbed.stores import s3

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mib", type=int, nargs="+", default=[1024, 20480])
    parser.add_argument("--noise-mib", type=int, default=400)
    options = parser.parse_args()
    with s3.start() as store:
        bucket = store.create_bucket("benchmark")
        for mib in options.mib:
            for age in (True, False):
                noise = min(options.noise_mib, mib // 2)
                row = _run(store, bucket, mib=mib, noise=noise, encrypted=age)
                print(json.dumps(row), flush=True)


def _run(
    store: s3.S3Server, bucket: str, *, mib: int, noise: int, encrypted: bool
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as results:
        env = {
            "PATH": os.environ["PATH"],
            "TMPDIR": folder,
            "HOME": folder,
            SIZE: str(mib),
            NOISE: str(noise),
            "KSNAPSHOT_ENGINE": "postgresql",
            "KSNAPSHOT_TERMINATION_LOG": f"{results}/result",
            "BACKEND_S3_ENDPOINT": store.endpoint,
            "BACKEND_BUCKET": bucket,
            "BACKEND_S3_ACCESS_KEY": store.root.access,
            "BACKEND_S3_SECRET_KEY": store.root.secret,
            "POSTGRESQL_HOST": "nowhere",
            "POSTGRESQL_USERNAME": "u",
            "POSTGRESQL_PASSWORD": "p",
            "POSTGRESQL_DATABASE": "generated",
            "HOSTNAME": "bench",
        }
        if encrypted:
            recipient = str(pyrage.x25519.Identity.generate().to_public())
            env |= {"ENCRYPTION_ENABLED": "true", "ENCRYPTION_RECIPIENT": recipient}
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.integration.dumpers.generated"]
        with subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        result = json.loads(Path(results, "result").read_text())
        if process.returncode != 0:
            raise SystemExit(result["message"])
        [key] = result["keys"]
        store.client().delete_object(Bucket=bucket, Key=key)
        left = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        return {
            "source_mib": result["source_bytes"] >> 20,
            "stored_mib": result["stored_bytes"] >> 20,
            "age": encrypted,
            "seconds": round(time.monotonic() - began, 1),
            "peak_mib": round(usage.ru_maxrss / 2**10),
            "on_disk": left,
        }


if __name__ == "__main__":
    main()
