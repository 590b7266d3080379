"""`ksnapshot proof` on a real API server: the Job that it makes, and what it shows of the answer.

The Job's own part is played by the test, with the documents that the real one prints.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dumpers.contract import names as variables
from dumpers.contract.proof.delivery import deliver
from dumpers.contract.proof.envelope import SignedStatement
from dumpers.contract.restore.result import BackupResult
from tests.integration.controller.answered import answered
from tests.integration.controller.command import Command, Json, env_of, installed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity
from tests.unit.controller.client.proof.statements import (
    SIGNATURE,
    backup,
    finding,
    signed,
    workload,
)

_DONE = BackupResult(succeeded=True, exit_code=0, reason="Succeeded", message="", objects=1)


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        yield made


@pytest.fixture(scope="module")
def admin(command: Command) -> Identity:
    return command.admin("ada")


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    yield
    command.delete_jobs()


def _told(command: Command, **changes: Any) -> SignedStatement:
    of_it = workload(command.owner, [backup(3, "drilled", finding("drilled")), backup(2, "none")])
    of_it["cronjob"] = command.cronjob()["metadata"]["name"]
    return replace(signed([of_it], (SIGNATURE,)), **changes)


def _documents(statement: SignedStatement) -> list[Json]:
    reading = {"proof": "reading", "cronjob": "cj", "backups": 2}
    return [reading, *map(dict, deliver(statement))]


def test_the_document_is_that_of_the_job_to_the_byte_and_is_shown_again_without_a_cluster(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    statement = _told(command)
    with answered(command, tmp_path, "proof-1", [(_documents(statement), _DONE)]) as jobs:
        done = command.run("proof", "--since", "1y6m", "--output", "json", identity=admin)
    assert done.returncode == 0, done.stderr
    envelope = json.loads(done.stdout)
    assert base64.b64decode(envelope["payload"]) == statement.payload
    assert envelope["signatures"] == [SIGNATURE.to_document()]
    [job] = jobs
    env = env_of(job)
    assert env[variables.PROOF_SINCE] == "1y6m"
    assert env[variables.LIST_SCOPE] == "cluster"
    assert env[variables.REQUESTED_BY] == "ada"
    assert variables.SIGNING_KEY_FILE not in env
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["prove"]
    # Nobody takes it for a run of the workload whose CronJob it was made of.
    assert job["metadata"]["labels"]["app.kubernetes.io/component"] == "prove"

    saved = tmp_path / "proof.json"
    saved.write_text(done.stdout)
    alone = [sys.executable, "-m", "controller", "proof", "--from", str(saved), "--output"]
    environment = {"PATH": "/nowhere", "HOME": str(tmp_path)}
    shown = {
        output: subprocess.run(
            [*alone, output], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for output in ("json", "html", "table")
    }
    assert shown["json"] == done.stdout
    assert shown["html"].startswith("<!doctype html>")
    assert command.owner in shown["html"]
    assert "Of which workloads there is no record at all is not known here" in shown["html"]
    [_, row] = [line.split() for line in shown["table"].splitlines()]
    assert row[:3] == [command.owner, "prod", "2"]


def test_a_page_says_of_which_workloads_there_is_no_record(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    with answered(command, tmp_path, "proof-2", [(_documents(_told(command)), _DONE)]):
        done = command.run("proof", "--output", "html", identity=admin)
    assert done.returncode == 0, done.stderr
    other = f"{command.world.watched[0]}/copy-0"
    assert f"of which the store has no record: {other}." in done.stdout
    command.delete_jobs()
    with answered(command, tmp_path, "proof-3", [(_documents(_told(command)), _DONE)]):
        done = command.run("proof", identity=admin)
    assert f"no record of 1 workload: {other}" in done.stderr
    assert f"a signature, said to be by the key {SIGNATURE.key_id}, and not checked" in done.stderr
    command.delete_jobs()
    with answered(command, tmp_path, "proof-9", [(_documents(_told(command)), _DONE)]):
        done = command.run("proof", "-o", "json", identity=admin)
    assert f"no record of 1 workload: {other}" in done.stderr


def test_one_workload_and_one_namespace_are_asked_for_by_the_job(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    namespace = command.world.watched[0]
    documents = _documents(_told(command))
    with answered(command, tmp_path, "proof-4", [(documents, _DONE)]) as jobs:
        assert command.run("proof", command.owner, identity=admin).returncode == 0
    env = env_of(jobs[0])
    assert env[variables.LIST_SCOPE] == "cronjob"
    assert env[variables.CRONJOB] == command.cronjob()["metadata"]["name"]
    assert variables.PROOF_NAMESPACE not in env
    command.delete_jobs()
    with answered(command, tmp_path, "proof-5", [(documents, _DONE)]) as jobs:
        assert command.run("proof", "-n", namespace, identity=admin).returncode == 0
    env = env_of(jobs[0])
    assert (env[variables.LIST_SCOPE], env[variables.PROOF_NAMESPACE]) == ("cluster", namespace)


def test_what_got_lost_on_the_way_is_an_error_and_shows_nothing(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    cut = _documents(_told(command))[:-1]
    with answered(command, tmp_path, "proof-6", [(cut, _DONE)]):
        done = command.run("proof", "-o", "json", identity=admin)
    assert (done.returncode, done.stdout) == (1, "")
    assert "did not come here as a whole: the end is missing" in done.stderr


def test_a_failure_of_the_job_is_told_with_its_code(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    failed = BackupResult(
        succeeded=False, exit_code=2, reason="ConfigurationInvalid", message="the key is none"
    )
    with answered(command, tmp_path, "proof-7", [([], failed)]):
        done = command.run("proof", identity=admin)
    assert done.returncode == 2
    assert "the proof failed: ConfigurationInvalid: the key is none" in done.stderr


def test_a_key_that_is_set_must_have_signed(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    [deployment] = command.world.api.list("apps/v1", "Deployment", command.world.control)
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment}
    [container] = whole["spec"]["template"]["spec"]["containers"]
    [setting] = [item for item in container["env"] if item["name"] == "PROOF_SIGNING_KEY_SECRET"]
    setting["value"] = "proof-key/signing.pem"
    meta = whole["metadata"]
    path = f"/apis/apps/v1/namespaces/{meta['namespace']}/deployments/{meta['name']}"
    command.world.api.request("PUT", path, whole)
    unsigned = _documents(_told(command, signatures=()))
    with answered(command, tmp_path, "proof-8", [(unsigned, _DONE)]) as jobs:
        done = command.run("proof", "-o", "json", identity=admin)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the proof is not signed, although proof.signingKeySecret is proof-key" in done.stderr
    pod = jobs[0]["spec"]["template"]["spec"]
    [volume] = [item["secret"] for item in pod["volumes"] if "secret" in item]
    assert (volume["secretName"], volume["items"][0]["key"]) == ("proof-key", "signing.pem")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--since", "soon"), "--since 'soon': write numbers"),
        (("--since", "3000y"), "--since '3000y': it begins before 1970"),
        (("--from", "FILE", "demo/db"), "--from shows a document as it is"),
        (("--from", "FILE"), "is no proof: it is no JSON"),
    ],
)
def test_what_was_asked_wrongly_is_said_and_makes_no_job(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("<html>")
    given = [str(wrong) if item == "FILE" else item for item in arguments]
    done = command.run("proof", *given)
    assert done.returncode == 2
    assert why in done.stderr
    assert command.jobs() == []


def test_who_may_not_make_jobs_is_told(command: Command) -> None:
    done = command.run("proof", identity=command.viewer("vera"))
    assert done.returncode == 4, done.stderr
    assert "jobs" in done.stderr
