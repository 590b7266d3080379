"""`ksnapshot copy` on a real API server: its Job, what is shown, what is refused.

The Job's own part is played by the test.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dumpers.contract import names as variables
from tests.integration.controller.answered import answered, backup_result
from tests.integration.controller.command import Command, env_of, installed
from tests.testbed.cluster.apiserver import ApiServer

OFF_SITE = '{"off-site": {"bucket": "off-bucket", "credentialsSecret": "off-keys"}}'


@pytest.fixture(scope="module")
def command(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    home = tmp_path_factory.mktemp("home")
    with installed(apiserver, home, workloads=1, storages=OFF_SITE) as made:
        yield made


@pytest.fixture(autouse=True)
def clean(command: Command) -> Iterator[None]:
    yield
    command.delete_jobs()


def test_a_backup_is_copied(command: Command, tmp_path: Path) -> None:
    with answered(command, tmp_path, "copy-1", [((), backup_result())]) as jobs:
        done = command.run("copy", command.owner, "aaaa", "--to", "off-site")
    assert done.returncode == 0, done.stderr
    assert "backup aaaa of 2026-01-01 03:00 UTC is in off-site, too: 2 objects, 2.0 KiB" in (
        done.stdout
    )
    [container] = jobs[0]["spec"]["template"]["spec"]["containers"]
    env = env_of(jobs[0])
    assert container["args"] == ["copy"]
    assert env[variables.STORAGES] == "main,off-site"
    assert env[variables.BACKUP] == "aaaa"
    assert env["STORAGE_OFF_SITE__BUCKET"] == "off-bucket"
    assert env["STORAGE_OFF_SITE__S3_ACCESS_KEY"]["secretKeyRef"]["name"] == "off-keys"


def test_what_was_there_already_is_said(command: Command, tmp_path: Path) -> None:
    there = backup_result(message="it was there already, and nothing was written")
    with answered(command, tmp_path, "copy-2", [((), there)]):
        done = command.run("copy", command.owner, "aaaa", "--to", "off-site")
    assert done.returncode == 0, done.stderr
    assert "is in off-site: it was there already, and nothing was written" in done.stdout


def test_a_failure_has_the_code_of_the_job(command: Command, tmp_path: Path) -> None:
    damaged = backup_result(21, reason="BackupDamaged", message="k is not what was stored")
    with answered(command, tmp_path, "copy-3", [((), damaged)]):
        done = command.run("copy", command.owner, "aaaa", "--to", "off-site")
    assert done.returncode == 21
    assert "BackupDamaged: k is not what was stored" in done.stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--to", "other"), "the storage other is not there"),
        (("--to", "main"), "main is where the backup is copied from, too"),
        (("--to", "off-site", "--from", "other"), "the storage other is not there"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    command: Command, asked: tuple[str, ...], said: str
) -> None:
    done = command.run("copy", command.owner, "aaaa", *asked)
    assert done.returncode == 6
    assert said in done.stderr
    assert command.jobs() == []
