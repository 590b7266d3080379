"""The user's command on a real cluster: from a backup now to a database that was lost."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.client.terminal.errors import Exit
from controller.model import names
from dumpers.runtime.errors import ExitCode
from tests.demo.command import Command, Ended
from tests.demo.kube import Object
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, POD, SHOP, WORKLOAD
from tests.e2e.conftest import Stage
from tests.e2e.test_postgresql import fingerprint, records, start_slow_dump

_NAME = f"{SHOP}/{WORKLOAD}"
_AS_SUPERUSER = 'PGPASSWORD="$POSTGRES_PASSWORD" psql -qAt -h 127.0.0.1 -U "$POSTGRES_USER"'


@pytest.fixture(autouse=True)
def clean(stage: Stage) -> Iterator[None]:
    """The database as it was, whatever a restore left of it and beside it, here or elsewhere."""
    drop_others(stage)
    yield
    drop_others(stage)
    stage.kube.run("delete", "jobs", "-n", CONTROL, "-l", "app.kubernetes.io/part-of=ksnapshot")


def drop_others(stage: Stage) -> None:
    """Drop every database but the one that is backed up."""
    for name in databases(stage):
        if name not in {DATABASE, "postgres"}:
            admin(stage, f'DROP DATABASE "{name}" WITH (FORCE)')


def admin(stage: Stage, sql: str) -> str:
    """SQL from outside of the database that is restored."""
    command = ["bash", "-c", f"{_AS_SUPERUSER} -d postgres -f -"]
    return stage.kube.execute(POD, SHOP, *command, stdin=sql).strip()


def databases(stage: Stage) -> set[str]:
    return set(admin(stage, "SELECT datname FROM pg_database WHERE NOT datistemplate").split("\n"))


def drop_copy(stage: Stage) -> None:
    """Drop what a restore made beside the database, in this test or in one before."""
    admin(stage, f'DROP DATABASE IF EXISTS "{COPY}" WITH (FORCE)')


def cronjob_now(stage: Stage, name: str) -> Object:
    found = stage.kube.get("cronjob", name, CONTROL)
    assert found is not None
    return found


def is_let_go(stage: Stage, cronjob: str) -> bool:
    now = cronjob_now(stage, cronjob)
    marks = names.HELD_BY in now["metadata"]["annotations"]
    return not marks and not now["spec"].get("suspend")


def done(ended: Ended) -> Ended:
    assert ended.code == 0, str(ended)
    return ended


def test_a_lost_database_comes_back(
    stage: Stage, cronjob: str, command: Command, key: Path
) -> None:
    told = done(command.run("backup", _NAME, "--follow"))
    assert f"{_NAME} is backed up" in told.out
    before = fingerprint(stage, DATABASE)

    # The workload as people name it, and what is known of it.
    state = json.loads(done(command.run("status", WORKLOAD, "-o", "json")).out)
    [entry] = state["workloads"]
    assert (entry["workload"], entry["state"]) == (_NAME, "wanted")

    # Nothing is replaced unasked.
    refused = command.run("restore", _NAME, "-i", key)
    assert refused.code == ExitCode.TARGET_REFUSED, str(refused)
    assert "is not empty" in refused.err
    assert fingerprint(stage, DATABASE) == before

    # Without the key, nothing can be read.
    refused = command.run("restore", _NAME, "--beside")
    assert refused.code == ExitCode.ENCRYPTION, str(refused)

    # What would happen, and nothing of it does.
    plan = done(command.run("restore", _NAME, "--beside", "--plan", "-i", key))
    assert COPY in plan.out
    assert "nothing was changed" in plan.out
    assert COPY not in databases(stage)

    # Beside the live one.
    stage.world.psql("DELETE FROM notes WHERE id > 10; UPDATE people SET name = name || '!'")
    changed = fingerprint(stage, DATABASE)
    done(command.run("restore", _NAME, "--beside", "-i", key))
    assert fingerprint(stage, COPY) == before
    assert fingerprint(stage, DATABASE) == changed
    done(command.run("restore", _NAME, "--forget", "--yes"))
    assert COPY not in databases(stage)

    # In its place, and back.
    done(command.run("restore", _NAME, "--swap", "--yes", "-i", key))
    assert fingerprint(stage, DATABASE) == before
    stage.kube.wait("the schedule to go on", lambda: is_let_go(stage, cronjob), seconds=60)
    done(command.run("restore", _NAME, "--undo", "--yes"))
    assert fingerprint(stage, DATABASE) == changed
    done(command.run("restore", _NAME, "--forget", "--yes"))
    assert databases(stage) == {DATABASE, "postgres"}

    # After the loss of all of it.
    admin(stage, f"DROP DATABASE {DATABASE} WITH (FORCE)")
    admin(stage, f"CREATE DATABASE {DATABASE}")
    every = command.run("restore", "--all", "-n", SHOP, "-i", key, "-o", "json")
    results = {item["workload"]: item for item in json.loads(every.out)["restores"]}
    assert results[_NAME]["outcome"] == "succeeded", str(every)
    assert fingerprint(stage, DATABASE) == before
    stage.kube.wait("the schedule to go on", lambda: is_let_go(stage, cronjob), seconds=60)


def test_a_backup_comes_to_the_laptop(
    stage: Stage, cronjob: str, command: Command, key: Path, tmp_path: Path
) -> None:
    """By URL and through the cluster; the key stays here, and is told what it opens."""
    done(command.run("backup", _NAME, "--follow"))
    main = f"{DATABASE}.sql"
    by_url, through = tmp_path / "by-url.sql", tmp_path / "through.sql"
    given = ("fetch", _NAME, "-i", key, "--object", main)
    told = done(command.run(*given, "-o", by_url))
    assert "size and sha256 as recorded" in told.err
    assert "through the cluster" not in told.err
    done(command.run(*given, "-o", through, "--through-cluster"))
    assert by_url.read_bytes() == through.read_bytes()
    assert b"\n-- PostgreSQL database dump complete\n" in by_url.read_bytes()[-4096:]

    # What was fetched is what a client loads.
    admin(stage, f"CREATE DATABASE {COPY}")
    text = by_url.read_text()
    load = ["bash", "-c", f"{_AS_SUPERUSER} -v ON_ERROR_STOP=1 -1 -d {COPY} -f - >/dev/null"]
    stage.kube.execute(POD, SHOP, *load, stdin=text)
    assert fingerprint(stage, COPY) == fingerprint(stage, DATABASE)

    opened = json.loads(done(command.run("keys", "-i", key, "-o", "json")).out)
    verdicts = {row["workload"]: row["verdict"] for row in opened["workloads"]}
    assert verdicts[_NAME] == "opens"
    assert stage.world.recipient in str(opened)

    # Neither the key nor a URL is in the cluster.
    logs = stage.kube.run(
        "logs", "-n", CONTROL, "-l", "app.kubernetes.io/component in (presign,send)", "--tail=-1"
    )
    assert "sealed" in logs
    for secret in ("X-Amz-Signature", str(stage.world.identity), "AGE-SECRET-KEY"):
        assert secret not in logs


def test_backups_are_looked_after(
    stage: Stage, cronjob: str, command: Command, tmp_path: Path
) -> None:
    def the_backup() -> Object:
        listed = json.loads(done(command.run("backups", _NAME, "-o", "json")).out)
        backup: Object
        [backup] = listed["backups"]
        return backup

    done(command.run("backup", _NAME, "--follow"))
    backup = the_backup()
    assert (backup["workload"], backup["proof"], backup["pinned"]) == (_NAME, None, False)

    done(command.run("verify", _NAME, "--backup", backup["id"]))
    assert the_backup()["proof"]["good"] is True
    done(command.run("pin", _NAME, backup["id"]))
    assert the_backup()["pinned"] is True
    done(command.run("unpin", _NAME, backup["id"]))
    assert the_backup()["pinned"] is False

    assert "dump done" in done(command.run("logs", _NAME)).out
    links = json.loads(done(command.run("doctor", _NAME, "-o", "json")).out)["links"]
    assert all(link["good"] for link in links)
    assert {"controller", "database", "store"} <= {link["link"] for link in links}
    assert f"keep CronJob {cronjob}" in done(command.run("plan")).out

    done(command.run("report", _NAME, "-o", tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    assert json.loads(found["report.json"])["missing"] == []
    assert any("dump done" in text for name, text in found.items() if name.startswith("runs/"))
    assert all(secret not in text for text in found.values() for secret in secrets_of(stage))


def secrets_of(stage: Stage) -> tuple[str, ...]:
    world = stage.world
    return (world.database_password, world.store_secret, str(world.identity))


def test_a_run_is_cancelled(stage: Stage, cronjob: str, command: Command) -> None:
    job, pod = start_slow_dump(stage, cronjob)
    told = done(command.run("cancel", _NAME))
    assert f"stopped {job}, a backup of {_NAME}" in told.out
    # Slow until it is gone: otherwise it could end well before it is told to.
    stage.kube.wait("the pod to go", lambda: not stage.kube.get("pod", pod, CONTROL), seconds=60)
    stage.proxy.clear()
    # It has aborted its upload, and says so.
    assert stage.store.uploads(BUCKET) == []
    assert records(stage, "manifest.json") == []
    assert command.run("cancel", _NAME).code == Exit.NOT_FOUND
