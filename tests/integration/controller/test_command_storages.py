"""Verbs about a workload whose backups go to several storages, on a real API server.

The Jobs' own part is played by the test.
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
from tests.integration.controller.answered import BEGAN, answered, backup_result
from tests.integration.controller.command import Command, Json, env_of, installed
from tests.testbed.cluster.apiserver import ApiServer
from tests.testbed.cluster.kubeapi import Identity

# Those of prune, as the chart has them.
_MAIN_KEYS = "ksnapshot-secret"
STORAGES = json.dumps(
    {
        "off-site": {
            "bucket": "off-bucket",
            "credentialsSecret": "off-keys",
            "readerSecret": "off-reading",
            "pruneSecret": "off-deleting",
        },
        "old": {"bucket": "old-bucket", "credentialsSecret": "old-keys", "accessMode": "ReadOnly"},
    }
)


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    home = tmp_path_factory.mktemp("home")
    with installed(apiserver, home, workloads=1, storages=STORAGES, asked="main,off-site") as made:
        yield made


@pytest.fixture(scope="module")
def deleter(command: Command) -> Identity:
    return command.deleter("dolly")


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    yield
    command.delete_jobs()


def _places(jobs: Sequence[Json]) -> list[tuple[Any, Any]]:
    """The storage of each Job, and the Secret of its keys; dumps to main have none here."""
    found = []
    for env in map(env_of, jobs):
        keys = env.get("BACKEND_S3_ACCESS_KEY")
        name = env.get(variables.STORAGES, "main")
        found.append((name, keys["secretKeyRef"]["name"] if keys else ""))
    return found


def _missing() -> BackupResult:
    return backup_result(2, reason="BackupNotFound", message="there is no backup 'aaaa'", backup="")


def _down() -> BackupResult:
    return backup_result(11, reason="StorageFailed", message="the store is away", backup="")


@pytest.mark.parametrize("verb", ["pin", "unpin", "accept"])
def test_a_mark_is_made_in_every_storage(command: Command, verb: str, tmp_path: Path) -> None:
    answers = [((), backup_result()), ((), backup_result())]
    with answered(command, tmp_path, f"{verb}-all", answers) as jobs:
        done = command.run(verb, command.owner, "latest")
    assert done.returncode == 0, done.stderr
    assert _places(jobs) == [("main", ""), ("off-site", "off-keys")]
    assert "BACKEND_BUCKET" in env_of(jobs[1])
    assert not [name for job in jobs for name in env_of(job) if name.startswith("STORAGE_")]
    # Off-site may lack the latest one, and would mark an older one for it.
    assert [env_of(job)[variables.BACKUP] for job in jobs] == ["latest", "aaaa"]
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["main", "off-site"]
    if verb == "accept":
        assert command.cronjob()["metadata"]["annotations"][names.SIZE_ACCEPTED] == BEGAN


def test_a_storage_that_lacks_the_backup_is_no_fault_where_another_has_it(
    command: Command, tmp_path: Path
) -> None:
    with answered(command, tmp_path, "pin-some", [((), _missing()), ((), backup_result())]):
        done = command.run("pin", command.owner, "aaaa")
    assert done.returncode == 0, done.stderr
    assert "main: the backup is not there" in done.stderr
    assert "off-site: backup aaaa of 2026-01-01 03:00 UTC is pinned" in done.stdout
    command.delete_jobs()
    with answered(command, tmp_path, "pin-none", [((), _missing()), ((), _missing())]):
        done = command.run("pin", command.owner, "aaaa")
    assert done.returncode == 2
    assert "there is no backup 'aaaa'" in done.stderr
    assert done.stdout == ""


def test_a_storage_that_fails_is_named_and_the_others_are_marked(
    command: Command, tmp_path: Path
) -> None:
    with answered(command, tmp_path, "pin-down", [((), _down()), ((), backup_result())]):
        done = command.run("pin", command.owner, "aaaa", "--output", "json")
    assert done.returncode == 11
    assert f"main: pinning a backup of {command.owner} failed: StorageFailed" in done.stderr
    document = json.loads(done.stdout)
    assert document["succeeded"] is False
    assert [(item["storage"], item["succeeded"]) for item in document["storages"]] == [
        ("main", False),
        ("off-site", True),
    ]


def test_one_storage_is_marked_where_it_is_named(command: Command, tmp_path: Path) -> None:
    with answered(command, tmp_path, "pin-one", [((), backup_result())]) as jobs:
        done = command.run("pin", command.owner, "aaaa", "--storage", "off-site")
    assert done.returncode == 0, done.stderr
    assert _places(jobs) == [("off-site", "off-keys")]


@pytest.mark.parametrize(
    ("name", "said"), [("old", "only read"), ("other", "the storage other is not there")]
)
def test_a_storage_that_is_not_written_to_is_refused(
    command: Command, name: str, said: str
) -> None:
    done = command.run("pin", command.owner, "aaaa", "--storage", name)
    assert done.returncode == 6
    assert said in done.stderr
    assert command.jobs() == []


def _backup(command: Command, id_: str, **members: Any) -> Json:
    return {
        "delete": "backup",
        "id": id_,
        "workload": command.owner,
        "cronjob": command.cronjob()["metadata"]["name"],
        "stored_bytes": 1024,
        "started": BEGAN,
        "deleted": True,
        "why": "",
        **members,
    }


def _deletion(
    command: Command, *ids: str, missing: Sequence[str] = (), **members: Any
) -> tuple[list[Json], DeleteResult]:
    count = len(ids)
    told: Any = {"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""}
    result = DeleteResult(**{**told, "deleted": count, "freed_bytes": count * 1024, **members})
    return [
        *({"delete": "missing", "id": id_} for id_ in missing),
        *(_backup(command, id_) for id_ in ids),
        {"delete": "end", "deleted": count},
    ], result


def test_a_deletion_goes_through_every_storage(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    answers = [
        _deletion(command, "aaaa", missing=["bbbb"], dry_run=True),
        _deletion(command, "aaaa", "bbbb", dry_run=True),
        _deletion(command, "aaaa"),
        _deletion(command, "aaaa", "bbbb"),
    ]
    with answered(command, tmp_path, "delete-all", answers) as jobs:
        done = command.run("delete", command.owner, "aaaa", "bbbb", "--yes", identity=deleter)
    assert done.returncode == 0, done.stderr
    assert _places(jobs) == [("main", _MAIN_KEYS), ("off-site", "off-deleting")] * 2
    told = [(env_of(job)[variables.BACKUPS], env_of(job)[variables.DRY_RUN]) for job in jobs]
    assert told == [
        ("aaaa,bbbb", "true"),
        ("aaaa,bbbb", "true"),
        ("aaaa", "false"),
        ("aaaa,bbbb", "false"),
    ]
    assert {env_of(job)[variables.SKIP_MISSING] for job in jobs} == {"true"}
    assert f"main: {command.owner}: 1 backups deleted" in done.stdout
    assert f"off-site: {command.owner}: 2 backups deleted" in done.stdout


def test_what_stands_against_a_deletion_in_one_storage_stops_all(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    refusal: dict[str, Any] = {
        "reason": "DeletionRefused",
        "message": "aaaa is pinned",
        "exit_code": 21,
    }
    answers = [
        _deletion(command, "aaaa", dry_run=True),
        _deletion(command, succeeded=False, dry_run=True, **refusal),
    ]
    with answered(command, tmp_path, "delete-pinned", answers):
        done = command.run("delete", command.owner, "aaaa", "--yes", identity=deleter)
    assert done.returncode == 21
    assert "off-site: deleting backups of" in done.stderr
    assert "nothing was deleted in any storage" in done.stderr
    assert len(command.jobs()) == 2


def test_a_backup_that_no_storage_has_deletes_nothing(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    answers = [
        _deletion(command, "aaaa", missing=["zzzz"], dry_run=True),
        _deletion(command, missing=["aaaa", "zzzz"], dry_run=True),
    ]
    with answered(command, tmp_path, "delete-none", answers):
        done = command.run("delete", command.owner, "aaaa", "zzzz", "--yes", identity=deleter)
    assert done.returncode == 2
    assert f"there is no backup 'zzzz' of {command.owner} in main, off-site" in done.stderr
    assert len(command.jobs()) == 2


def test_a_storage_that_fails_while_the_others_are_deleted_from(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    down: dict[str, Any] = {
        "succeeded": False,
        "reason": "StorageFailed",
        "message": "away",
        "exit_code": 11,
    }
    answers = [
        _deletion(command, "aaaa", dry_run=True),
        _deletion(command, "aaaa", dry_run=True),
        _deletion(command, **down),
        _deletion(command, "aaaa"),
    ]
    with answered(command, tmp_path, "delete-down", answers):
        done = command.run("delete", command.owner, "aaaa", "--yes", identity=deleter)
    assert done.returncode == 11
    assert "main: deleting backups of" in done.stderr
    assert f"off-site: {command.owner}: 1 backups deleted" in done.stdout


def test_backups_of_a_workload_that_is_no_more_are_looked_for_in_every_storage(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    gone = {"workload": "gone/shop", "cronjob": "ksnapshot-postgresql-gone-shop-1"}
    run = {"catalogue": "run", "id": "cccc", "started": BEGAN, **gone}
    end = {"catalogue": "end", "records": "r/", "runs": 1, "next": ""}
    answers: list[tuple[Sequence[Json], Any]] = [
        ((), backup_result(objects=0)),
        ([run, end], backup_result(objects=1)),
        ((), backup_result(objects=0)),
        _deletion(command, missing=["cccc"], dry_run=True),
        _deletion(command, "cccc", dry_run=True),
    ]
    with answered(command, tmp_path, "delete-gone", answers) as jobs:
        done = command.run("delete", "gone/shop", "cccc", "--dry-run", identity=deleter)
    assert done.returncode == 0, done.stderr
    listed = [("main", _MAIN_KEYS), ("off-site", "off-deleting"), ("old", "old-keys")]
    assert _places(jobs) == [*listed, *listed[:2]]
    assert "old is only read: what it holds is not touched" in done.stderr
    assert {env_of(job)[variables.CRONJOB] for job in jobs[3:]} == {gone["cronjob"]}


def test_a_list_is_of_the_storage_that_is_named(command: Command, tmp_path: Path) -> None:
    answers = [(_listed("aaaa"), backup_result(objects=1))]
    with answered(command, tmp_path, "list-one", answers) as jobs:
        done = command.run("backups", command.owner, "--storage", "off-site")
    assert done.returncode == 0, done.stderr
    assert _places(jobs) == [("off-site", "off-reading")]
    assert "aaaa" in done.stdout


def test_a_list_of_all_storages_says_where_each_backup_is(command: Command, tmp_path: Path) -> None:
    answers: list[tuple[Sequence[Json], Any]] = [
        (_listed("aaaa", "bbbb"), backup_result(objects=2)),
        (_listed("aaaa"), backup_result(objects=1)),
        ((), _down()),
    ]
    with answered(command, tmp_path, "list-all", answers) as jobs:
        done = command.run("backups", command.owner, "--storage", "all")
    # A list that lacks a storage is no whole one.
    assert done.returncode == 11
    assert "old: the list of backups failed: StorageFailed" in done.stderr
    assert [name for name, _ in _places(jobs)] == ["main", "off-site", "old"]
    rows = done.stdout.splitlines()
    assert "STORAGES" in rows[0]
    [both] = [row for row in rows if row.startswith("aaaa")]
    [one] = [row for row in rows if row.startswith("bbbb")]
    assert "main, off-site" in both
    assert "main, off-site missing" in one


def _listed(*ids: str) -> list[Json]:
    runs: list[Json] = [
        {
            "catalogue": "run",
            "id": id_,
            "record": f"r/manifests/c/cj/20260101T030000Z-{id_}/",
            "started": BEGAN,
            "state": "complete",
            "restorable": True,
            "storages": ["main", "off-site"],
        }
        for id_ in ids
    ]
    end = {"catalogue": "end", "records": "r/manifests/c/cj/", "runs": len(ids), "next": ""}
    return [*runs, end]


def test_what_reads_a_backup_reads_the_storage_that_is_named(
    command: Command, tmp_path: Path
) -> None:
    chosen = ("--storage", "off-site")
    started = [
        ("drill", "--image", "registry.example/postgres:17"),
        ("restore", "--beside", "--detach"),
        ("restore", "--beside", "--detach", *chosen),
    ]
    found = []
    for verb, *more in started:
        options = more if chosen[0] in more or verb == "restore" else [*more, *chosen]
        done = command.run(verb, command.owner, *options)
        assert done.returncode == 0, done.stderr
        [job] = command.jobs()
        pod = job["spec"]["template"]["spec"]
        [env] = [
            {item["name"]: item.get("value") for item in container["env"]}
            for container in pod["containers"]
            if container["name"] == names.CONTAINER
        ]
        found.append((env.get(variables.STORAGES), "STORAGE_OFF_SITE__BUCKET" in env))
        command.delete_jobs()
    # A restore that names none may read the nearest good copy.
    assert found == [("off-site", False), ("main,off-site", True), ("off-site", False)]
    for verb in ("verify", "fetch"):
        listing = ["--list"] if verb == "fetch" else []
        with answered(command, tmp_path, f"{verb}-one", [((), _down())]) as jobs:
            done = command.run(verb, command.owner, *listing, *chosen)
        assert done.returncode == 11, done.stderr
        assert _places(jobs) == [("off-site", "off-reading")]
        command.delete_jobs()


def test_prune_judges_the_storage_that_is_named(
    command: Command, deleter: Identity, tmp_path: Path
) -> None:
    told: Any = {"succeeded": True, "exit_code": 0, "reason": "Succeeded", "message": ""}
    end = {"prune": "end", "kept": 0, "deleted": 0}
    with answered(command, tmp_path, "prune-one", [([end], PruneResult(**told))]) as jobs:
        done = command.run("prune", "--storage", "off-site", identity=deleter)
    assert done.returncode == 0, done.stderr
    assert _places(jobs) == [("off-site", "off-deleting")]
    command.delete_jobs()
    for name, said in (("old", "only read"), ("other", "the storage other is not there")):
        done = command.run("prune", "--storage", name, identity=deleter)
        assert done.returncode == 6
        assert said in done.stderr
    assert command.jobs() == []
