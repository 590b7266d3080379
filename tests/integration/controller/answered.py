"""Plays the Jobs that the command makes: the log and the result of each."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dumpers.contract.restore.result import BackupResult
from tests.fakes.kubelet import Kubelet, serve
from tests.integration.controller.command import Command, Json
from tests.integration.controller.world import fail, finish, reference

BEGAN = "2026-01-01T03:00:00Z"


def backup_result(code: int = 0, **members: Any) -> BackupResult:
    """That of a Job about the backup `aaaa`, which began at BEGAN."""
    backup = {"backup": "aaaa", "began": BEGAN, "objects": 2, "stored_bytes": 2048}
    told = {"reason": "Succeeded", "message": "", "seconds": 5.0, **backup, **members}
    return BackupResult(succeeded=code == 0, exit_code=code, **told)


@contextmanager
def answered(
    command: Command, folder: Path, node: str, answers: Sequence[tuple[Sequence[Json], Any]]
) -> Iterator[list[Json]]:
    """Play the Jobs in turn: the documents in the log of each, and its result."""
    seen: list[Json] = []
    stopping = threading.Event()
    logs = [([json.dumps(line) for line in lines], False) for lines, _ in answers]

    def play() -> None:
        for _, result in answers:
            known = {job["metadata"]["uid"] for job in seen}
            while not stopping.is_set():
                new = [job for job in command.jobs() if job["metadata"]["uid"] not in known]
                if new:
                    break
                stopping.wait(0.1)
            else:
                return
            seen.append(new[0])
            _end(command, new[0], node, result)

    player = threading.Thread(target=play)
    with serve(command.world.api, folder, Kubelet(node=node, answers=logs)):
        player.start()
        try:
            yield seen
        finally:
            stopping.set()
            player.join()


def _end(command: Command, job: Json, node: str, result: Any) -> None:
    code, moment = result.exit_code, "2026-01-01T03:00:05Z"
    ended = {"exitCode": code, "message": result.to_json(), "finishedAt": moment}
    status = {"image": "x", "imageID": "x", "ready": False, "restartCount": 0, "name": "job"}
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
            "spec": {"nodeName": node, "containers": [{"name": "job", "image": "x"}]},
            "status": {
                "phase": "Succeeded" if code == 0 else "Failed",
                "containerStatuses": [
                    {**status, "state": {"terminated": {"startedAt": moment, **ended}}}
                ],
            },
        }
    )
    if code == 0:
        finish(command.world, job)
    else:
        fail(command.world, job, "PodFailurePolicy")
