"""The environment of a Job that says what was proved."""

import pytest

from dumpers.contract.proof.jobs import ProveJob
from dumpers.runtime.errors import ConfigurationError

ENV = {
    "BACKEND_TYPE": "s3",
    "BACKEND_BUCKET": "b",
    "BACKEND_S3_REGION": "r",
    "HOSTNAME": "pod",
    "KSNAPSHOT_CLUSTER": "c",
    "KSNAPSHOT_CRONJOB": "cj",
}


def test_what_is_not_said_is_the_cronjobs_last_ninety_days_unsigned() -> None:
    job = ProveJob.from_env(ENV)
    assert (job.scope, job.since, job.namespace) == ("cronjob", "90d", "")
    assert (job.signing_key_file, job.requested_by) == ("", "")
    assert (job.cluster, job.cronjob) == ("c", "cj")


def test_all_that_is_said_is_read() -> None:
    more = {
        "KSNAPSHOT_LIST_SCOPE": "all",
        "KSNAPSHOT_PROOF_SINCE": "1y",
        "KSNAPSHOT_PROOF_NAMESPACE": "demo",
        "KSNAPSHOT_SIGNING_KEY_FILE": "/k",
        "KSNAPSHOT_REQUESTED_BY": "ada",
    }
    job = ProveJob.from_env(ENV | more)
    assert [job.scope, job.since, job.namespace] == ["all", "1y", "demo"]
    assert [job.signing_key_file, job.requested_by] == ["/k", "ada"]


def test_every_fault_is_named() -> None:
    env = ENV | {"KSNAPSHOT_LIST_SCOPE": "mine", "KSNAPSHOT_PROOF_SINCE": "1\n", "HOSTNAME": ""}
    with pytest.raises(ConfigurationError) as found:
        ProveJob.from_env(env)
    for name in ("KSNAPSHOT_LIST_SCOPE", "KSNAPSHOT_PROOF_SINCE", "HOSTNAME"):
        assert name in str(found.value)
