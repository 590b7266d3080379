import pytest

from dumpers.contract.verify.jobs import VerifyJob
from dumpers.contract.verify.sample import Sample
from dumpers.runtime.errors import ConfigurationError

ENV = {
    "BACKEND_PATH": "/ksnapshot/",
    "BACKEND_BUCKET": "backups",
    "KSNAPSHOT_CLUSTER": "c",
    "KSNAPSHOT_CRONJOB": "cj",
    "HOSTNAME": "pod",
}


def test_a_scheduled_verification_needs_little() -> None:
    job = VerifyJob.from_env(ENV)
    assert (job.backup, job.sample, job.identity_file) == ("", None, "")
    assert (job.cluster, job.cronjob, job.deadline) == ("c", "cj", None)


def test_a_verification_is_told_which_backups_and_with_which_keys() -> None:
    told = {
        "KSNAPSHOT_BACKUP": "latest",
        "KSNAPSHOT_VERIFY_SAMPLE": "1/7",
        "KSNAPSHOT_IDENTITY_FILE": "/identity/keys.txt",
        "KSNAPSHOT_DEADLINE_SECONDS": "60",
    }
    job = VerifyJob.from_env(ENV | told)
    assert (job.backup, job.sample) == ("latest", Sample(parts=1, of=7))
    assert (job.identity_file, job.deadline) == ("/identity/keys.txt", 60)


def test_every_fault_is_named() -> None:
    with pytest.raises(ConfigurationError) as raised:
        VerifyJob.from_env({"HOSTNAME": "pod", "KSNAPSHOT_VERIFY_SAMPLE": "7/1"})
    assert "KSNAPSHOT_VERIFY_SAMPLE is '7/1'" in str(raised.value)
    assert "BACKEND_BUCKET" in str(raised.value)
