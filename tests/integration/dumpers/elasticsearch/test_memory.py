"""A dump of large documents takes no more memory than one of small ones."""

from pathlib import Path

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.elasticsearch.conftest import env
from tests.integration.dumpers.elasticsearch.worlds import create
from tests.testbed.databases.search import SearchServer
from tests.testbed.dumper import (
    CRONJOB,
    PATIENCE_SECONDS,
    SEARCH_IMAGE_ENV,
    Dumper,
    storage_env,
)
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain.processes import wait_until

_MOST_MIB = 150


pytestmark = pytest.mark.parametrize("server", ["opensearch-3"], indirect=True)


def test_documents_of_ten_megabytes(
    server: SearchServer, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    create(server, "large", shards=4)
    for number in range(12):
        text = f"{number:08d} " * (10 * 2**20 // 9)
        server.bulk("large", {f"{number}": f'{{"any":{{"text":"{text}"}}}}'})
    server.bulk("large", {f"small-{number}": "{}" for number in range(2000)})
    (tmp_path / "tmp").mkdir()
    run = Dumper(
        folder=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path / "tmp"),
            **storage_env(s3, bucket),
            **env(server),
            **SEARCH_IMAGE_ENV,
            "KSNAPSHOT_CRONJOB": CRONJOB,
            "KSNAPSHOT_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "HOSTNAME": CRONJOB,
        },
    )
    process = run.start()
    peak = 0

    def ended() -> bool:
        nonlocal peak
        assert run.process is not None
        # The kernel's own high-water mark, until the process is gone.
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) // 1024)
        return run.process.poll() is not None

    wait_until(ended, seconds=PATIENCE_SECONDS, what="the dump to end")
    outcome = run.wait()
    assert outcome.exit_code == ExitCode.DONE, outcome.log
    assert outcome.result.source_bytes > 120 << 20
    assert 0 < peak <= _MOST_MIB
