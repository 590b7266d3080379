"""The environment of a job that copies a backup."""

import pytest

from dumpers.contract.copy.jobs import CopyJob
from dumpers.runtime.errors import ConfigurationError

ENV = {
    "HOSTNAME": "pod",
    "KSNAPSHOT_BACKUP": "r1",
    "KSNAPSHOT_CRONJOB": "cj",
    "BACKEND_BUCKET": "here",
    "STORAGE_OFF_SITE__BUCKET": "there",
    "STORAGE_THIRD__BUCKET": "third",
}


def test_the_first_storage_is_copied_to_the_second() -> None:
    job = CopyJob.from_env(ENV | {"KSNAPSHOT_STORAGES": "main,off-site"})
    assert (job.source.name, job.source.location.bucket) == ("main", "here")
    assert (job.target.name, job.target.location.bucket) == ("off-site", "there")
    assert job.backup == "r1"


@pytest.mark.parametrize("storages", ["", "main", "main,off-site,third"])
def test_there_are_two_storages(storages: str) -> None:
    with pytest.raises(ConfigurationError, match="KSNAPSHOT_STORAGES names"):
        CopyJob.from_env(ENV | {"KSNAPSHOT_STORAGES": storages})


def test_a_copy_needs_both_of_its_storages() -> None:
    env = ENV | {"KSNAPSHOT_STORAGES": "main,off-site", "STORAGE_OFF_SITE__S3_ACCESS_KEY": "k"}
    with pytest.raises(ConfigurationError, match="STORAGE_OFF_SITE__S3_SECRET_KEY is not set"):
        CopyJob.from_env(env)
