"""`ksnapshot restore` on a real API server: what it makes, holds, refuses and takes back.

With the chart's own Role for people and no more; no pod runs here.
"""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.loop.pass_state import PassState
from controller.loop.reconcile import run
from controller.model import names
from dumpers.contract.names import FORGET_OF, UNDO_OF
from tests.fakes.kubelet import Kubelet, serve
from tests.integration.controller.command import KEY, Command, Json, installed
from tests.integration.controller.world import fail, reference, running_job
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity
from tests.testbed.toolchain.processes import wait_until


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        (made.home / "key.txt").write_text(f"# a comment\n{KEY}\n")
        yield made


@pytest.fixture(scope="module")
def admin(command: Command) -> Identity:
    return command.admin("ada")


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    """No Job from one test is there in the next, and the controller has let go of the CronJob."""
    yield
    command.delete_jobs()
    _pass(command)


def _name(job: Json) -> str:
    return str(job["metadata"]["name"])


def _pass(command: Command) -> None:
    result = run(command.world.kube(), command.world.settings, PassState(), now=datetime.now(UTC))
    assert result.succeeded, result.failures


def _restore(command: Command, who: Identity, *options: str) -> Any:
    key = str(Path(command.home) / "key.txt")
    return command.run("restore", command.owner, "-i", key, "--detach", *options, identity=who)


def _is_held(command: Command) -> bool:
    cronjob = command.cronjob()
    marked = names.HELD_BY in cronjob["metadata"]["annotations"]
    assert marked == bool(cronjob["spec"].get("suspend"))
    return marked


def test_a_restore_holds_the_schedule_until_its_job_has_ended(
    command: Command, admin: Identity
) -> None:
    done = _restore(command, admin)
    assert done.returncode == 0, done.stderr
    [job] = command.jobs()
    name = job["metadata"]["name"]
    assert name in done.stdout
    assert not job["spec"].get("suspend")
    [secret] = [
        item for item in command.world.secrets().values() if item["metadata"]["name"] == name
    ]
    assert KEY in base64.b64decode(secret["data"]["identity"]).decode()
    # It goes with the Job, whatever becomes of that.
    [owner] = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == job["metadata"]["uid"]
    assert KEY not in done.stdout + done.stderr + str(job)
    variables = {
        item["name"]: item.get("value")
        for item in job["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert variables["KSNAPSHOT_REQUESTED_BY"] == "ada"

    _pass(command)
    assert _is_held(command)
    fail(command.world, job, "DeadlineExceeded")
    _pass(command)
    assert not _is_held(command)


def test_a_restore_may_follow_at_once_upon_another(command: Command, admin: Identity) -> None:
    assert _restore(command, admin).returncode == 0
    [first] = command.jobs()
    fail(command.world, first, "DeadlineExceeded")
    # The controller has not let go of the schedule yet.
    assert _is_held(command)
    again = _restore(command, admin)
    assert again.returncode == 0, again.stderr
    [second] = [job for job in command.jobs() if job["metadata"]["name"] != _name(first)]

    _pass(command)
    assert _is_held(command)
    holder = command.cronjob()["metadata"]["annotations"][names.HELD_BY]
    assert holder == f"{_name(second)}/{second['metadata']['uid']}"
    # What the schedule was before the first one is what it is after the second.
    command.world.api.delete(second)
    _pass(command)
    assert not _is_held(command)


def test_nothing_is_restored_beside_a_restore_or_a_dump(command: Command, admin: Identity) -> None:
    # A plan that has not ended is in nobody's way.
    assert _restore(command, admin, "--plan").returncode == 0
    [plan] = command.jobs()
    assert _restore(command, admin).returncode == 0
    command.world.api.delete(plan)
    [first] = command.jobs()
    again = _restore(command, admin)
    assert again.returncode == 6
    assert f"the Job {first['metadata']['name']} restores this workload right now" in again.stderr
    command.world.api.delete(first)
    _pass(command)

    dump = running_job(command.world, command.cronjob())
    again = _restore(command, admin)
    assert again.returncode == 6
    assert f"the Job {dump['metadata']['name']} dumps this database right now" in again.stderr
    # Beside it, what is read stays as it is.
    assert _restore(command, admin, "--beside").returncode == 0
    assert not _is_held(command)


def test_a_restore_that_is_stopped_says_what_its_target_holds(
    command: Command, admin: Identity, tmp_path: Path
) -> None:
    assert _restore(command, admin, "--overwrite", "--yes").returncode == 0
    [job] = command.jobs()
    name = job["metadata"]["name"]
    waiting = command.run("cancel", name, identity=admin)
    assert waiting.returncode == 0, waiting.stderr
    assert "it had not begun, the target is as it was" in waiting.stdout
    assert command.jobs() == []
    _pass(command)

    assert _restore(command, admin, "--overwrite", "--yes").returncode == 0
    [job] = command.jobs()
    running = {"state": {"running": {"startedAt": "2026-01-01T03:00:00Z"}}}
    status = {"image": "x", "imageID": "x", "ready": True, "restartCount": 0}
    command.world.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{job['metadata']['name']}-abcde",
                "namespace": command.world.control,
                "labels": {"job-name": job["metadata"]["name"]},
                "ownerReferences": [reference(job)],
            },
            "spec": {
                "nodeName": "cancel-node",
                "containers": [{"name": item, "image": "x"} for item in ("job", "client")],
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    status | running | {"name": item} for item in ("job", "client")
                ],
            },
        }
    )
    said = {
        "message": "restore failed",
        "succeeded": False,
        "exit_code": 14,
        "reason": "Interrupted",
        "error": "stopped by SIGTERM before the restore was complete",
        "target_partial": True,
    }
    lines = [json.dumps({"message": "restoring", "bytes_done": 7}), json.dumps(said)]
    kubelet = Kubelet(node="cancel-node", answers=[(lines, False)])
    with serve(command.world.api, tmp_path, kubelet):
        done = command.run("cancel", command.owner, identity=admin)
    assert done.returncode == 0, done.stderr
    assert f"stopped {job['metadata']['name']}, a restore of {command.owner}" in done.stdout
    assert "stopped by SIGTERM before the restore was complete (the target may hold a part)" in (
        done.stdout
    )
    [asked] = kubelet.requests
    assert (asked["follow"], asked["tailLines"]) == (["true"], ["1"])
    assert command.jobs() == []


@pytest.mark.parametrize(("verb", "variable"), [("undo", UNDO_OF), ("forget", FORGET_OF)])
def test_of_a_restore_that_was_killed_the_target_is_asked(
    command: Command, admin: Identity, verb: str, variable: str
) -> None:
    assert _restore(command, admin, "--beside").returncode == 0
    [first] = command.jobs()
    words = ["restore", command.owner, f"--{verb}"]
    if verb == "forget":
        # It may go on, and what it makes is marked as what is left.
        done = command.run(*words, "--yes", identity=admin)
        assert (done.returncode, done.stdout) == (3, "")
    fail(command.world, first, "BackoffLimitExceeded")
    name = first["metadata"]["name"]
    asked = command.run(*words, identity=admin)
    assert asked.returncode == 6
    assert f"'{name}'" in asked.stdout

    running = command.start(*words, "--yes", identity=admin)
    wait_until(lambda: len(command.jobs()) > 1, seconds=60, what="its Job")
    [made] = [job for job in command.jobs() if job["metadata"]["name"] != name]
    [container] = made["spec"]["template"]["spec"]["containers"]
    env = {item["name"]: item.get("value") for item in container["env"]}
    assert json.loads(env[variable]) == [name]
    fail(command.world, made, "BackoffLimitExceeded")
    running.communicate(timeout=60)
    assert running.returncode == 1


def test_what_cannot_begin_is_taken_back(command: Command) -> None:
    for name, resource in (("bob", "secrets"), ("eve", "cronjobs")):
        done = _restore(command, command.admin(name, without=resource))
        assert done.returncode == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert command.jobs() == []
        assert not _is_held(command)


def test_what_would_be_replaced_is_asked_for_first(command: Command, admin: Identity) -> None:
    done = _restore(command, admin, "--overwrite")
    assert done.returncode == 6
    assert "nothing was changed" in done.stderr
    assert command.jobs() == []
    assert _restore(command, admin, "--overwrite", "--yes").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("nobody",), 3, "there is no workload 'nobody'"),
        (("db", "--at", "soon"), 2, "is no time"),
        (("db", "--to", "x:y"), 2, "--to 'x:y'"),
        (("db", "--swap", "--beside"), 2, "give one of them"),
        (("db", "--identity-secret", "none-there"), 3, "none-there"),
        (("db", "--credentials-secret", "none-there"), 3, "none-there"),
        (("--all",), 2, "--all needs a namespace"),
        (("db", "--all", "-n", "x"), 2, "name a workload, or a namespace"),
        (("--all", "-n", "x", "--to", "db"), 2, "--to is for one workload"),
        (("--all", "-n", "nowhere"), 3, "nothing is backed up in namespace nowhere"),
        (("db", "--undo", "--yes"), 3, "whose Job is still there was a --swap"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line(
    command: Command, admin: Identity, words: tuple[str, ...], code: int, why: str
) -> None:
    named = [command.owner if word == "db" else word for word in words]
    done = command.run("restore", *named, identity=admin)
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert command.jobs() == []
