"""`ksnapshot prune`, `delete` and `accept` on a real API server: rights, keys, Jobs, what is shown.

The Jobs' own part is played by the test: the log and the result of each.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.model import names
from dumpers.contract import names as variables
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.retention.result import DeleteResult, PruneResult
from tests.integration.controller.answered import answered
from tests.integration.controller.command import Command, Json, env_of, installed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity

_DONE: Any = {"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""}
_TIMES = {"started": "2026-01-01T03:00:00Z", "finished": "2026-01-01T03:01:00Z"}


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with installed(apiserver, tmp_path_factory.mktemp("home"), workloads=2) as made:
        yield made


@pytest.fixture(scope="module")
def deleter(command: Command) -> Identity:
    return command.deleter("dora")


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    yield
    command.delete_jobs()


def _backup(command: Command, id_: str, **members: Any) -> Json:
    return {
        "id": id_,
        "workload": command.owner,
        "cronjob": command.cronjob()["metadata"]["name"],
        "stored_bytes": 1024,
        "restorable": True,
        **_TIMES,
        **members,
    }


def _verdicts(command: Command, **end: Any) -> list[Json]:
    verdict = {"prune": "verdict", "covered_by": "", "shrunk": False}
    key = {"workload": command.owner, "policy": "keep-last=1", "fault": "", "left": []}
    return [
        verdict | _backup(command, "aaaa", keep=True, reasons=["keep-last=1"]),
        verdict | _backup(command, "bbbb", keep=False, reasons=[]),
        # A run that crashed is shown, and is no backup.
        verdict | _backup(command, "cccc", keep=True, reasons=["NoBackup"], restorable=False),
        {"prune": "sweep", **_backup(command, "cccc"), "bytes": 3072, "objects": 2, "uploads": 1},
        {"prune": "workload", "kept": 1, "deleted": 1, "held_back": 2, "shrunk": 0, **key},
        {"prune": "end", "kept": 1, "deleted": 1, **end},
    ]


def test_prune_shows_every_verdict_and_runs_with_its_own_keys(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    result = PruneResult(**_DONE, workloads=1, kept=1, deleted=1, freed_bytes=2048, dry_run=True)
    with answered(command, tmp_path, "prune-1", [(_verdicts(command), result)]) as jobs:
        done = command.run("prune", "--dry-run", identity=deleter)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[1] for row in rows[1:3]] == ["aaaa", "bbbb"]
    assert "keep" in rows[1]
    assert "delete" in rows[2]
    [swept] = [row for row in rows[3:] if "cccc" in row and "3.0" in row]
    assert swept[-2:] == ["2", "1"]
    assert "1 would be deleted (2.0 KiB)" in done.stdout
    assert f"{command.owner}: 2 backups are held back" in done.stderr
    [job] = jobs
    env, settings = env_of(job), command.world.settings
    assert env[variables.DRY_RUN] == "true"
    assert env[variables.RETENTION_FLOOR] == settings.retention_floor
    assert env[variables.REQUESTED_BY] == "dora"
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["prune"]
    # It is no run of the workload whose CronJob it was built from.
    assert names.CRONJOB not in job["metadata"].get("annotations", {})


def test_a_list_of_verdicts_that_was_cut_is_an_error_of_a_dry_run_only(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    result = PruneResult(**_DONE, workloads=1, kept=1, deleted=1)
    cut = _verdicts(command)[1:]
    with answered(command, tmp_path, "prune-2", [(cut, result)]):
        done = command.run("prune", "--dry-run", identity=deleter)
    assert done.returncode == 1
    assert "1 of 2 backups arrived" in done.stderr
    command.delete_jobs()
    with answered(command, tmp_path, "prune-3", [(cut, result)]):
        done = command.run("prune", "--output", "json", identity=deleter)
    assert done.returncode == 0, done.stderr
    assert "all is done, but" in done.stderr
    document = json.loads(done.stdout)
    assert [item["id"] for item in document["verdicts"]] == ["bbbb", "cccc"]
    assert [item["bytes"] for item in document["sweeps"]] == [3072]
    assert document["totals"] == {"kept": 1, "deleted": 1}


def _deletions(command: Command, *ids: str, why: str = "") -> list[Json]:
    backups = [
        {"delete": "backup", "deleted": not why, "why": why} | _backup(command, id_) for id_ in ids
    ]
    end = {"delete": "end", "deleted": 0 if why else len(ids), "freed_bytes": 1, "left": 0}
    return [*backups, end]


def _result(count: int, **members: Any) -> DeleteResult:
    return DeleteResult(**{**_DONE, "deleted": count, "freed_bytes": count * 1024, **members})


def test_delete_shows_first_and_deletes_what_was_shown(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    told = _deletions(command, "aaaa", "bbbb")
    answers = [(told, _result(2, dry_run=True)), (told, _result(2))]
    with answered(command, tmp_path, "delete-1", answers) as jobs:
        done = command.run("delete", command.owner, "--all", "--yes", identity=deleter)
    assert done.returncode == 0, done.stderr
    assert f"{command.owner}: 2 backups deleted, 2.0 KiB freed" in done.stdout
    first, second = map(env_of, jobs)
    assert (first[variables.BACKUPS], first[variables.DRY_RUN]) == ("all", "true")
    # Not `all` again: a backup that was made meanwhile was not shown.
    assert (second[variables.BACKUPS], second[variables.DRY_RUN]) == ("aaaa,bbbb", "false")
    assert first[variables.CRONJOB] == command.cronjob()["metadata"]["name"]


def test_nothing_is_deleted_unasked(command: Command, deleter: Identity, tmp_path: Path) -> None:
    told = _deletions(command, "aaaa")
    with answered(command, tmp_path, "delete-2", [(told, _result(1, dry_run=True))]) as jobs:
        done = command.run("delete", command.owner, "aaaa", identity=deleter)
    assert done.returncode == 6
    assert "Delete 1 backups" in done.stdout
    assert "nothing was changed: all backups are still there" in done.stderr
    assert len(jobs) == len(command.jobs()) == 1


def test_a_refusal_has_the_jobs_own_code_and_goes_no_further(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    refusal = {"reason": "DeletionRefused", "message": "aaaa is pinned", "exit_code": 21}
    refused = _result(0, succeeded=False, dry_run=True, **refusal)
    told = _deletions(command, "aaaa", why="pinned")
    with answered(command, tmp_path, "delete-3", [(told, refused)]):
        done = command.run("delete", command.owner, "aaaa", "--yes", identity=deleter)
    assert done.returncode == 21
    assert "DeletionRefused: aaaa is pinned" in done.stderr
    assert "pinned" in done.stdout
    assert len(command.jobs()) == 1


def test_backups_of_a_workload_that_is_no_more_are_found_in_the_bucket(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    gone = {"workload": "gone/shop", "cronjob": "ksnapshot-postgresql-gone-shop-1"}
    other = {"workload": "gone/other", "cronjob": "ksnapshot-postgresql-gone-other-1"}
    listed: list[Json] = [
        {"catalogue": "run"} | _backup(command, "cccc", **gone),
        {"catalogue": "end", "records": "r/", "runs": 1, "next": ""},
        {"catalogue": "run"} | _backup(command, "dddd", **other),
        {"catalogue": "end", "records": "s/", "runs": 1, "next": ""},
    ]
    list_result = BackupResult(**_DONE, objects=2)
    told = _deletions(command, "cccc")
    answers: list[tuple[Sequence[Json], Any]]
    answers = [(listed, list_result), (told, _result(1, dry_run=True))]
    with answered(command, tmp_path, "delete-4", answers) as jobs:
        done = command.run("delete", "gone/shop", "cccc", "--dry-run", identity=deleter)
    assert done.returncode == 0, done.stderr
    env = env_of(jobs[1])
    assert env[variables.CRONJOB] == gone["cronjob"]
    assert env[variables.WORKLOAD] == "gone/shop"
    command.delete_jobs()
    with answered(command, tmp_path, "delete-5", [(listed, list_result)]):
        done = command.run("delete", "nobody/here", "cccc", identity=deleter)
    assert done.returncode == 3
    assert "there is no workload 'nobody/here'" in done.stderr


def test_deleting_is_a_right_of_its_own(command: Command) -> None:
    admin = command.admin("adam")
    for words in (("prune", "--dry-run"), ("delete", command.owner, "--all", "--yes")):
        done = command.run(*words, identity=admin)
        assert done.returncode == 4
        assert "ask for the Role ksnapshot-delete" in done.stderr
    assert command.jobs() == []


@pytest.mark.parametrize("words", [(), ("aaaa", "--all")])
def test_delete_wants_ids_or_all(command: Command, words: tuple[str, ...]) -> None:
    done = command.run("delete", command.owner, *words)
    assert done.returncode == 2
    assert "name backups by their ids, or say --all" in done.stderr


def test_accept_marks_the_cronjob_so_that_the_alert_ends(command: Command, tmp_path: Path) -> None:
    began = "2026-01-01T03:00:00Z"
    result = BackupResult(**_DONE, backup="aaaa", began=began)
    cronjob = command.cronjob()["metadata"]["name"]
    with answered(command, tmp_path, "accept-1", [((), result)]) as jobs:
        done = command.run("accept", command.owner, "aaaa", identity=command.admin("anna"))
    assert done.returncode == 0, done.stderr
    assert "the sizes of backups up to aaaa of 2026-01-01 03:00 UTC are accepted" in done.stdout
    assert jobs[0]["spec"]["template"]["spec"]["containers"][0]["args"] == ["accept"]
    assert env_of(jobs[0])[variables.BACKUP] == "aaaa"
    assert command.cronjob()["metadata"]["annotations"][names.SIZE_ACCEPTED] == began
    # An older one does not take back what is accepted.
    command.delete_jobs()
    older = BackupResult(**_DONE, backup="bbbb", began="2025-01-01T03:00:00Z")
    with answered(command, tmp_path, "accept-2", [((), older)]):
        done = command.run("accept", command.owner, "bbbb")
    assert done.returncode == 0, done.stderr
    assert command.cronjob()["metadata"]["annotations"][names.SIZE_ACCEPTED] == began
    assert command.cronjob()["metadata"]["name"] == cronjob
