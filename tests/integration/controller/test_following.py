"""Following a run, and its log, against a real API server and the logs of a kubelet."""

import json
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.kubelet import Kubelet, serve
from tests.integration.controller.command import Command, Json, installed
from tests.integration.controller.world import fail, finish, reference
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.toolchain.processes import wait_until

_DUMPING = '{"level": "info", "message": "dumping", "estimated_bytes": 4096}'
_PROGRESS = (
    '{"message": "progress", "name": "shop", "bytes_read": 1024, "bytes_per_second": 512,'
    ' "seconds": 2}'
)


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=1) as made:
        yield made


@pytest.fixture(autouse=True)
def no_jobs(command: Command) -> Iterator[None]:
    yield
    for left in command.jobs():
        command.world.api.delete(left)
    wait_until(lambda: not command.jobs(), seconds=30, what="no Job")


@pytest.fixture
def job(command: Command) -> Json:
    """A run that somebody started, and that has no pod yet."""
    assert command.run("backup", command.owner).returncode == 0
    (made,) = command.jobs()
    return made


def pod(command: Command, job: Json, node: str = "") -> Json:
    name = job["metadata"]["name"]
    made = command.world.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-abcde",
                "namespace": command.world.control,
                "labels": {"job-name": name},
                "ownerReferences": [reference(job)],
            },
            "spec": {
                "containers": [{"name": "job", "image": "x"}],
                **({"nodeName": node} if node else {}),
            },
        }
    )
    return {"apiVersion": "v1", "kind": "Pod"} | made


def report(command: Command, item: Json, phase: str, **state: object) -> None:
    status = {"name": "job", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    states = [status | {"state": state}]
    command.world.api.set_status(item, {"phase": phase, "containerStatuses": states})


def result(code: int, reason: str, message: str = "", **more: object) -> Json:
    said = {"version": 1, "succeeded": code == 0, "exit_code": code, "reason": reason}
    said |= {"message": message, **more}
    return {"exitCode": code, "message": json.dumps(said), "finishedAt": "2026-01-01T03:00:08Z"}


def test_from_waiting_through_a_log_that_breaks_to_the_result(
    command: Command, tmp_path: Path
) -> None:
    stamps = [f"2026-01-01T03:00:0{second}.000000000Z" for second in range(4)]
    kubelet = Kubelet(
        node=f"node-{secrets.token_hex(4)}",
        answers=[
            ([f"{stamps[0]} {_DUMPING}", f"{stamps[1]} {_PROGRESS}"], True),
            ([f"{stamps[1]} {_PROGRESS}", f"{stamps[2]} a line of a tool"], False),
        ],
    )
    with (
        serve(command.world.api, tmp_path / "pki", kubelet),
        command.start("backup", command.owner, "--follow", "--output", "json") as process,
    ):
        wait_until(lambda: bool(command.jobs()), seconds=30, what="the Job")
        (job,) = command.jobs()
        made = pod(command, job, kubelet.node)
        report(command, made, "Running", running={})
        wait_until(lambda: len(kubelet.requests) > 1, seconds=60, what="the log once more")
        report(command, made, "Succeeded", terminated=result(0, "Succeeded", stored_bytes=42))
        finish(command.world, job)
        out, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    lines = log.splitlines()
    assert [line for line in lines if "dumping" in line] == [
        "         info     dumping  estimated_bytes=4096"
    ]
    assert lines.count("shop  0:02  1.0 KiB read  512 B/s  about 6 s left") == 1
    assert "a line of a tool" in lines
    assert kubelet.requests[0]["follow"] == ["true"]
    assert kubelet.requests[1]["sinceTime"] == ["2026-01-01T03:00:01Z"]
    told = json.loads(out)
    assert (told["workload"], told["stored_bytes"]) == (command.owner, 42)
    assert told["succeeded"] is True


def test_a_run_that_fails_gives_its_own_exit_code(command: Command) -> None:
    with command.start("backup", command.owner, "--follow") as process:
        wait_until(lambda: bool(command.jobs()), seconds=30, what="the Job")
        (job,) = command.jobs()
        made = pod(command, job)
        report(command, made, "Failed", terminated=result(20, "SourceRefused", "no such login"))
        fail(command.world, job, "PodFailurePolicy")
        _, log = process.communicate(timeout=60)
    assert process.returncode == 20, log
    assert log.splitlines()[-1] == (
        f"error: the backup of {command.owner} failed: SourceRefused: no such login"
    )


def test_a_job_deleted_under_it_ends_following(command: Command, job: Json) -> None:
    name = job["metadata"]["name"]
    with command.start("logs", command.owner, "--follow") as process:
        assert process.stderr
        assert "waits for a pod" in process.stderr.readline()
        assert command.run("cancel", command.owner).returncode == 0
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert log.splitlines()[-1] == f"{name}: gone"


def test_ctrl_c_detaches_and_says_how_to_go_on(command: Command, job: Json) -> None:
    name = job["metadata"]["name"]
    with command.start("logs", "--job", name, "--follow") as process:
        assert process.stderr
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        log = process.stderr.read()
        process.wait(timeout=60)
    assert "waits for a pod" in first
    assert process.returncode == 130, log
    assert f"ksnapshot cancel {name}" in log
    assert f"ksnapshot logs --job {name} --follow" in log
    assert "Traceback" not in log
    assert command.jobs()


def test_the_log_of_the_newest_run_is_json_in_a_pipe(
    command: Command, job: Json, tmp_path: Path
) -> None:
    missing = command.run("logs", command.owner)
    assert missing.returncode == 3
    assert "has no pod any more" in missing.stderr
    kubelet = Kubelet(node=f"node-{secrets.token_hex(4)}", answers=[([_DUMPING, _PROGRESS], False)])
    made = pod(command, job, kubelet.node)
    report(command, made, "Running", running={})
    with serve(command.world.api, tmp_path / "pki", kubelet):
        seen = command.run("logs", command.owner)
        named = command.run("logs", "--job", job["metadata"]["name"], "--raw")
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.splitlines() == [_DUMPING, _PROGRESS]
    assert named.stdout == seen.stdout
    other = command.run("logs", command.owner, "--container", "client")
    assert other.returncode == 3
    assert "no container client" in other.stderr
