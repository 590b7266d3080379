from typing import Any

import pyrage
import pytest

from dumpers.contract.fetch.jobs import FetchJob
from dumpers.runtime.errors import ConfigurationError

RECIPIENT = str(pyrage.x25519.Identity.generate().to_public())
ENV = {
    "HOSTNAME": "pod",
    "BACKEND_BUCKET": "bucket",
    "KSNAPSHOT_CRONJOB": "c",
    "KSNAPSHOT_REPLY_TO": RECIPIENT,
}


def test_the_environment_is_read() -> None:
    job = FetchJob.from_env(ENV | {"KSNAPSHOT_BACKUP": "3f9c", "KSNAPSHOT_URL_SECONDS": "60"})
    assert (job.reply_to, job.url_seconds, job.about.backup) == (RECIPIENT, 60, "3f9c")
    assert FetchJob.from_env(ENV).url_seconds == 3600


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"KSNAPSHOT_REPLY_TO": ""}, "KSNAPSHOT_REPLY_TO is not set"),
        ({"KSNAPSHOT_REPLY_TO": "age1x"}, "KSNAPSHOT_REPLY_TO is not an age recipient"),
        ({"KSNAPSHOT_REPLY_TO": "AGE-SECRET-KEY-1" + "Q" * 58}, "holds a private key"),
        ({"KSNAPSHOT_URL_SECONDS": "604801"}, "it must be 1 to 604800"),
        ({"KSNAPSHOT_URL_SECONDS": "x"}, "whole number"),
        ({"BACKEND_BUCKET": "", "KSNAPSHOT_REPLY_TO": ""}, "BACKEND_BUCKET"),
    ],
)
def test_every_fault_is_named(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as raised:
        FetchJob.from_env(ENV | change)
    assert "QQQ" not in str(raised.value)
    assert len(raised.value.faults) == len(change)
