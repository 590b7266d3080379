"""From the annotation to a restored database, and every way a run may die on the way."""

import json
import os
import secrets
import signal
from collections.abc import Iterator

import pytest

from dumpers.runtime.errors import ExitCode
from tests.demo.kube import Object
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, POD, SHOP
from tests.e2e.conftest import Stage
from tests.e2e.processes_in_pods import processes_of
from tests.testbed.proxies.faults import Rule, Slow, Status

_PART = "partNumber="
_SMALL_PARTS = {"KSNAPSHOT_PART_SIZE_MIB": "5"}
_TABLES = {"people": "id", "notes": "id", "noise": "id"}


def fingerprint(stage: Stage, database: str, pod: str = POD) -> str:
    rows = " UNION ALL ".join(
        f"SELECT '{table}', count(*), md5(string_agg(md5(t::text), '' ORDER BY {key})) "
        f"FROM {table} t"
        for table, key in _TABLES.items()
    )
    return stage.world.psql(f"{rows} ORDER BY 1", database, pod)


def records(stage: Stage, name: str) -> list[str]:
    return [key for key in stage.store.objects(BUCKET) if key.endswith(f"/{name}")]


def named_by_started_records(stage: Stage) -> set[str]:
    found = (json.loads(stage.store.read(BUCKET, key)) for key in records(stage, "started.json"))
    return {key for record in found for key in record["keys"]}


def start_slow_dump(stage: Stage, cronjob: str, *, retries: int = 0) -> tuple[str, str]:
    """A run that is in the middle of its upload, and stays there: Job and pod."""
    stage.proxy.set(Rule(Slow(200_000, of="request"), "PUT", _PART))
    job = f"by-hand-{secrets.token_hex(4)}"
    stage.world.run_now(job, cronjob, retries=retries, env=_SMALL_PARTS)
    stage.kube.wait("an upload", lambda: stage.store.uploads(BUCKET), seconds=120)
    stage.kube.wait("a part", lambda: stage.proxy.seen("PUT", _PART), seconds=120)
    [pod] = stage.world.pods_of(job)
    return job, str(pod["metadata"]["name"])


def kill_in_pod(stage: Stage, pod: str, name: str, number: signal.Signals) -> None:
    """Signal the processes of this name in the dumper's container."""
    script = (
        f'for p in /proc/[0-9]*; do [ "$(cat $p/comm)" = {name} ] && kill -{number.value} '
        "${p#/proc/}; done; true"
    )
    stage.kube.execute(pod, CONTROL, "bash", "-c", script)


def condition(stage: Stage, job: str) -> Object:
    """How a Job ended."""

    def probe() -> Object | None:
        found = stage.kube.get("job", job, CONTROL)
        assert found is not None
        conditions = {item["type"]: item for item in found["status"].get("conditions", [])}
        ended: Object | None = conditions.get("Complete") or conditions.get("Failed")
        return ended

    return stage.kube.wait(f"job {job} to end", probe, seconds=300)


def assert_only_started_is_left(stage: Stage) -> None:
    assert stage.store.uploads(BUCKET) == []
    assert records(stage, "manifest.json") == []
    left = (*records(stage, "started.json"), *records(stage, "failed.json"))
    assert set(stage.store.objects(BUCKET)) == set(left)


@pytest.fixture
def wrong_password(stage: Stage) -> Iterator[None]:
    """The database has another password than the Secret says, until the test is over."""
    stage.world.psql("ALTER ROLE shop PASSWORD 'changed behind the back'")
    yield
    password = stage.world.database_password
    stage.kube.execute(
        POD,
        SHOP,
        "bash",
        "-c",
        "PGPASSWORD='changed behind the back' psql -qh 127.0.0.1 -U shop -d shop -f -",
        stdin=f"ALTER ROLE shop PASSWORD '{password}'",
    )


def test_from_annotation_to_restored_comparison(stage: Stage) -> None:
    """The schedule itself fires; the object restores with curl, age, gunzip and psql."""
    stage.world.annotate("* * * * *")
    cronjob = stage.world.cronjob("* * * * *")
    name = cronjob["metadata"]["name"]
    pod = stage.world.started_pod(name)["metadata"]["name"]
    code, result = stage.world.result(pod)
    stage.world.annotate("0 3 1 1 *")
    assert (code, result.succeeded) == (ExitCode.DONE, True), result.message
    key, roles = result.keys
    assert roles.endswith(".globals.sql.gz.age")
    stored = stage.store.objects(BUCKET)
    assert stored[key] + stored[roles] == result.stored_bytes
    assert f"{result.record}manifest.json" in records(stage, "manifest.json")

    stage.world.restore(key)
    assert fingerprint(stage, COPY) == fingerprint(stage, DATABASE)

    def remembered() -> Object | None:
        found = stage.kube.get("cronjob", name, CONTROL)
        assert found is not None
        text = found["metadata"]["annotations"].get("ksnapshot.clickandmortar.fr/last-result", "")
        return json.loads(text) if text else None

    last = stage.kube.wait("the result on the CronJob", remembered, seconds=60)
    assert last["succeeded"] is True


def test_pg_dump_is_killed_mid_stream(stage: Stage, cronjob: str) -> None:
    job, pod = start_slow_dump(stage, cronjob)
    kill_in_pod(stage, pod, "pg_dump", signal.SIGKILL)
    stage.proxy.clear()
    code, result = stage.world.result(pod)
    assert code == result.exit_code == ExitCode.SOURCE_FAILED
    assert "pg_dump was killed" in result.message
    assert condition(stage, job)["type"] == "Failed"
    assert_only_started_is_left(stage)


def test_the_store_answers_500_mid_upload(stage: Stage, cronjob: str) -> None:
    stage.proxy.set(Rule(Status(500, b"<Error><Code>InternalError</Code></Error>"), "PUT", _PART))
    job = f"by-hand-{secrets.token_hex(4)}"
    stage.world.run_now(job, cronjob, env={**_SMALL_PARTS, "BACKEND_S3_PATIENCE": "2"})
    assert condition(stage, job)["type"] == "Failed"
    [pod] = stage.world.pods_of(job)
    code, result = stage.world.result(pod["metadata"]["name"])
    assert code == result.exit_code == ExitCode.STORAGE_FAILED
    assert "upload part" in result.message
    assert_only_started_is_left(stage)


def test_sigterm_ends_the_dumper_in_good_order(stage: Stage, cronjob: str) -> None:
    job, pod = start_slow_dump(stage, cronjob)
    stage.kube.execute(pod, CONTROL, "bash", "-c", "kill -TERM 1")
    stage.proxy.clear()
    code, result = stage.world.result(pod)
    assert code == result.exit_code == ExitCode.INTERRUPTED
    assert "SIGTERM" in result.message
    assert condition(stage, job)["type"] == "Failed"
    assert_only_started_is_left(stage)


def test_a_pod_that_is_deleted_aborts_and_its_successor_succeeds(
    stage: Stage, cronjob: str
) -> None:
    job, pod = start_slow_dump(stage, cronjob, retries=1)
    # Slow until it is gone: otherwise it could end well before it is told to.
    stage.kube.run("delete", "pod", pod, "-n", CONTROL, "--wait=true")
    stage.proxy.clear()
    assert condition(stage, job)["type"] == "Complete"
    assert stage.store.uploads(BUCKET) == []
    assert len(records(stage, "started.json")) == 2
    assert len(records(stage, "manifest.json")) == 1


def test_sigkill_leaves_what_the_started_record_names_and_the_next_run_succeeds(
    stage: Stage, cronjob: str
) -> None:
    job, pod = start_slow_dump(stage, cronjob)
    os.kill(processes_of(pod)["dump"], signal.SIGKILL)
    assert condition(stage, job)["type"] == "Failed"
    assert records(stage, "manifest.json") == []
    left = [key for key, _ in stage.store.uploads(BUCKET)]
    assert left
    assert set(left) <= named_by_started_records(stage)

    stage.proxy.clear()
    following = f"by-hand-{secrets.token_hex(4)}"
    stage.world.run_now(following, cronjob)
    assert condition(stage, following)["type"] == "Complete"
    assert len(records(stage, "manifest.json")) == 1


def test_a_wrong_password_fails_the_job_at_once(
    stage: Stage, cronjob: str, wrong_password: None
) -> None:
    job = f"by-hand-{secrets.token_hex(4)}"
    stage.world.run_now(job, cronjob, retries=2)
    ended = condition(stage, job)
    assert (ended["type"], ended["reason"]) == ("Failed", "PodFailurePolicy")
    [pod] = stage.world.pods_of(job)
    code, result = stage.world.result(pod["metadata"]["name"])
    assert code == ExitCode.SOURCE_REFUSED
    assert "password authentication failed" in result.message
    assert stage.world.database_password not in result.message
    assert stage.store.objects(BUCKET) == {}
