"""The CronJob's own container: it runs with what the controller gives it, and is understood."""

import json
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest

from controller.manifests.overlay import overlay
from controller.manifests.reading.identity import IDENTITY_PATH
from controller.manifests.reading.verify_cronjob import build_verify_cronjob
from controller.model import names
from controller.runs.proving.proofs import proof_annotations
from controller.runs.proving.verifications import verification_annotations
from dumpers.contract import names as variables
from tests.fakes.worlds import DB, job, settings
from tests.integration.dumpers.verify import verified_world
from tests.integration.dumpers.verify.verified_world import CLUSTER, World
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper, storage_env
from tests.testbed.stores.s3 import S3Server
from tests.unit.controller.manifests.reading.test_verify_cronjob import spec

SECRETS = {"IDENTITY_SECRET": "identity", "READER_SECRET_NAME": "reading"}
IDENTITY = pyrage.x25519.Identity.generate()


@pytest.fixture
def world(s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(verified_world, "CRONJOB", DB)
    return World(s3=s3, bucket=bucket, folder=tmp_path)


def run(world: World, cronjob: Any) -> tuple[int, str]:
    """Exit code and termination message of the container, with the store's values put in."""
    pod = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    assert given[variables.IDENTITY_FILE] == IDENTITY_PATH
    file = world.identity("keys.txt", str(IDENTITY))
    (verb,) = container["args"]
    message = world.folder / "termination-log"
    dumper = Dumper(
        verb=verb,
        folder=world.folder,
        env={
            "PATH": str(Path(sys.executable).parent),
            **given,
            **storage_env(world.s3, world.bucket),
            variables.IDENTITY_FILE: str(file),
            variables.TERMINATION_LOG: str(message),
            variables.HOSTNAME: "pod",
        },
    )
    dumper.start()
    assert dumper.process is not None
    code = dumper.process.wait(PATIENCE_SECONDS)
    return code, message.read_text()


def told(code: int, message: str) -> dict[str, Any]:
    """What the controller notes on the dump CronJob."""
    verifier = {"metadata": {"name": names.verify_cronjob_name(DB), "uid": "v"}, "kind": "CronJob"}
    how = "Failed" if code else "Complete"
    made = job({"apiVersion": "batch/v1", **verifier}, ended="2026-06-01T12:00:00Z", how=how)
    made["metadata"]["labels"] = {names.COMPONENT_LABEL: names.VERIFY}
    made["metadata"]["annotations"] = {names.CRONJOB: DB}
    state = {"terminated": {"exitCode": code, "message": message}}
    status = {"containerStatuses": [{"name": names.CONTAINER, "state": state}]}
    pods = {made["metadata"]["uid"]: ({"metadata": {"name": "p"}, "status": status},)}
    cronjob = {"metadata": {"name": DB, "annotations": {names.VERIFY_SCHEDULE: "0 6 * * 0"}}}
    noted = {
        **verification_annotations(cronjob, [made], pods),
        **proof_annotations(cronjob, (made,), pods),
    }
    return {key.removeprefix(names.PREFIX): json.loads(text) for key, text in noted.items()}


def test_what_the_controller_asks_is_done_and_what_is_answered_is_understood(
    world: World,
) -> None:
    asked = spec(env=SECRETS, verify_sample="1/1")
    cronjob = overlay(None, build_verify_cronjob(asked, settings(**SECRETS), CLUSTER, None))
    code, message = run(world, cronjob)
    assert set(told(code, message)) == {"last-verify"}
    world.backup(0, str(IDENTITY.to_public()))
    lost = world.backup(1)
    noted = told(*run(world, cronjob))
    assert (noted["last-verify"]["succeeded"], noted["last-verify"]["verified"]) == (True, 2)
    assert (noted["last-proof"]["good"], noted["last-proof"]["backup"]) == (True, "d0")
    assert world.methods() == {"d0": ("decoded", True), "d1": ("decoded", True)}
    world.delete(f"ksnapshot/dump-{lost.id}-0")
    code, message = run(world, cronjob)
    assert code == 21
    noted = told(code, message)
    assert noted["last-verify"]["reason"] == "BackupDamaged"
    assert (noted["last-verify"]["verified"], noted["last-verify"]["damaged"]) == (1, 1)
    assert "d1" in noted["last-verify"]["message"]
    assert noted["last-proof"]["good"] is False
