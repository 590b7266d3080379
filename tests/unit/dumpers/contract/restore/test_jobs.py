import pytest

from dumpers.contract.restore.after import AfterRestoreJob
from dumpers.contract.restore.jobs import (
    BackupJob,
    ListJob,
    LoadJob,
    RestoreJob,
    exchange_folder,
)
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

STORE = {
    "BACKEND_PATH": "/ksnapshot/",
    "BACKEND_BUCKET": "backups",
    "KSNAPSHOT_CLUSTER": "c",
    "KSNAPSHOT_CRONJOB": "cj",
    "HOSTNAME": "pod",
}
READER = {**STORE, "KSNAPSHOT_EXCHANGE": "/exchange"}
CLIENT = {
    "KSNAPSHOT_ENGINE": "postgresql",
    "KSNAPSHOT_EXCHANGE": "/exchange",
    "POSTGRESQL_HOST": "db",
    "POSTGRESQL_USERNAME": "app",
    "POSTGRESQL_PASSWORD": "hunter2",
    "POSTGRESQL_DATABASE": "shop",
}
SWAP = RestoreRequest(mode=RestoreMode.SWAP, names={"a": "b"})


def test_a_reader_needs_little() -> None:
    job = RestoreJob.from_env(READER)
    assert (job.backup, job.exchange, job.identity_file) == ("latest", "/exchange", "")
    assert (job.cluster, job.cronjob, job.location.path) == ("c", "cj", "ksnapshot")
    assert (job.request, job.plan_only, job.requested_by) == (RestoreRequest(), False, "")


def test_a_reader_is_told_much() -> None:
    told = {
        "KSNAPSHOT_BACKUP": "at:2026-01-01T00:00:00Z",
        "KSNAPSHOT_IDENTITY_FILE": "/identity/key.txt",
        "KSNAPSHOT_RESTORE": SWAP.to_json(),
        "KSNAPSHOT_PLAN_ONLY": "true",
        "KSNAPSHOT_REQUESTED_BY": "jane",
        "KSNAPSHOT_DEADLINE_SECONDS": "60",
    }
    job = RestoreJob.from_env(READER | told)
    assert (job.backup, job.identity_file) == ("at:2026-01-01T00:00:00Z", "/identity/key.txt")
    assert (job.request, job.plan_only, job.requested_by) == (SWAP, True, "jane")
    assert job.deadline == 60


def test_a_client_has_no_store() -> None:
    job = LoadJob.from_env(CLIENT | {"KSNAPSHOT_RESTORE": SWAP.to_json()}, ENGINES)
    assert (job.engine.type, job.connection.password) == ("postgresql", "hunter2")
    assert (job.target, job.request) == ("db:5432/shop", SWAP)
    assert "hunter2" not in repr(job)


def test_a_target_knows_which_servers_make_it_up() -> None:
    login = {"KSNAPSHOT_ENGINE": "clickhouse", "CLICKHOUSE_HOST": "db"}
    exchange = {"KSNAPSHOT_EXCHANGE": "/exchange"}
    told = {"CLICKHOUSE_SHARDS": "a;b", "CLICKHOUSE_CLUSTER": "x", "KSNAPSHOT_TABLES": "t"}
    job = LoadJob.from_env(login | exchange | told, ENGINES)
    assert job.connection.servers == {"CLICKHOUSE_SHARDS": "a;b", "CLICKHOUSE_CLUSTER": "x"}
    assert LoadJob.from_env(login | exchange, ENGINES).connection.servers == {}
    undo = AfterRestoreJob.from_env(login | told | {"KSNAPSHOT_FORGET": '["a"]'}, ENGINES)
    assert undo.connection.servers == job.connection.servers
    wrong = login | exchange | {"CLICKHOUSE_VIA": "pigeons"}
    assert any(
        "CLICKHOUSE_VIA" in fault for fault in faults(lambda: LoadJob.from_env(wrong, ENGINES))
    )


def test_a_list() -> None:
    job = ListJob.from_env(STORE)
    assert (job.limit, job.before, job.backup, job.scope) == (20, "", "", "cronjob")
    told = {"KSNAPSHOT_LIST_LIMIT": "500", "KSNAPSHOT_LIST_BEFORE": "x", "KSNAPSHOT_BACKUP": "r1"}
    told |= {"KSNAPSHOT_LIST_SCOPE": "all", "KSNAPSHOT_LIST_LEGACY": "true"}
    job = ListJob.from_env(STORE | told)
    assert (job.limit, job.before, job.backup, job.scope) == (500, "x", "r1", "all")
    assert job.legacy


def test_a_backup_to_look_after() -> None:
    job = BackupJob.from_env(STORE | {"KSNAPSHOT_BACKUP": "r1", "KSNAPSHOT_REQUESTED_BY": "jane"})
    assert (job.backup, job.requested_by) == ("r1", "jane")


def faults(call: object) -> tuple[str, ...]:
    assert callable(call)
    with pytest.raises(ConfigurationError) as refused:
        call()
    return refused.value.faults


def test_every_fault_is_named_at_once() -> None:
    wrong = {"KSNAPSHOT_RESTORE": '{"mode": "gently"}', "KSNAPSHOT_PLAN_ONLY": "yes"}
    named = faults(lambda: RestoreJob.from_env(wrong | {"KSNAPSHOT_BOOTSTRAP": "{}"}))
    for name in ("BACKEND_BUCKET", "HOSTNAME", "RESTORE", "PLAN_ONLY", "EXCHANGE", "BOOTSTRAP"):
        assert any(name in fault for fault in named), name
    named = faults(lambda: LoadJob.from_env(wrong, ENGINES))
    for name in ("KSNAPSHOT_ENGINE", "RESTORE", "PLAN_ONLY", "EXCHANGE"):
        assert any(name in fault for fault in named), name
    named = faults(lambda: LoadJob.from_env(wrong | {"KSNAPSHOT_ENGINE": "mysql"}, ENGINES))
    assert any("MYSQL_HOST" in fault for fault in named)
    wrong = {"KSNAPSHOT_LIST_LIMIT": "2000", "KSNAPSHOT_LIST_SCOPE": "mine"}
    named = faults(lambda: ListJob.from_env(wrong))
    for name in ("LIST_LIMIT", "LIST_SCOPE", "BACKEND_BUCKET"):
        assert any(name in fault for fault in named), name


def test_the_exchange_is_found_whatever_else_is_wrong() -> None:
    assert exchange_folder({"KSNAPSHOT_EXCHANGE": "/exchange"}) == "/exchange"
    assert faults(lambda: exchange_folder({}))[0].startswith("KSNAPSHOT_EXCHANGE is not set")
