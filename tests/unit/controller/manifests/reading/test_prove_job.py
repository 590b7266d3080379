"""The Job that says what was proved: the reader's keys, and the key that signs it, where it is."""

from typing import Any

from controller.manifests.reading.prove_job import build_prove_job, signing_key_of
from controller.manifests.storages.sources import Account
from controller.manifests.verb_job import LOOKS, PROVE, VerbJob
from controller.model import names
from dumpers.contract import names as variables
from dumpers.contract.proof.jobs import ProveJob
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import settings
from tests.unit.controller.manifests.test_restore_job import cronjob

WANTED = VerbJob(
    name="ksnapshot-proof-db-12345678-abcde",
    verb=PROVE,
    deadline=60,
    keep=60,
    env={variables.LIST_SCOPE: "cluster"},
    account=Account(secret="reading", service_account="reader"),
)

_REGION = {"BACKEND_S3_REGION": "r"}


def _pod(secret: str) -> Any:
    key = signing_key_of(settings(PROOF_SIGNING_KEY_SECRET=secret))
    job = build_prove_job(cronjob(ENGINES[0]), WANTED, key)
    assert job["metadata"]["labels"][names.COMPONENT_LABEL] in LOOKS
    return job["spec"]["template"]["spec"]


def test_the_key_that_signs_is_a_file_of_the_only_container_and_of_no_variable() -> None:
    pod = _pod("proof-key/signing.pem")
    [container] = pod["containers"]
    env = {item["name"]: item for item in container["env"]}
    path = env[variables.SIGNING_KEY_FILE]["value"]
    [mount] = [
        item for item in container["volumeMounts"] if path.startswith(item["mountPath"] + "/")
    ]
    [volume] = [item for item in pod["volumes"] if item["name"] == mount["name"]]
    source = volume["secret"]
    assert mount["readOnly"]
    assert source["items"] == [{"key": "signing.pem", "path": path.rpartition("/")[2]}]
    assert (source["secretName"], source["optional"]) == ("proof-key", True)
    named = [item["valueFrom"] for item in env.values() if "valueFrom" in item]
    assert "proof-key" not in str(named)
    assert "reading" in str(named)
    assert pod["serviceAccountName"] == "reader"
    assert not pod["automountServiceAccountToken"]


def test_without_a_key_there_is_nothing_of_it() -> None:
    pod = _pod("")
    assert variables.SIGNING_KEY_FILE not in str(pod)
    assert not [item for item in pod["volumes"] if "secret" in item]


def test_what_is_built_is_what_the_job_reads() -> None:
    [container] = _pod("proof-key")["containers"]
    plain = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    job = ProveJob.from_env({"HOSTNAME": "pod", "BACKEND_BUCKET": "b", **plain, **_REGION})
    assert job.scope == "cluster"
    assert job.signing_key_file.endswith("/key.pem")
    assert container["args"] == [PROVE]
