import pytest

from dumpers.contract.drill.jobs import DrillJob, RehearseJob
from dumpers.contract.restore.request import LATEST
from dumpers.engines.registry import ENGINES
from dumpers.runtime.errors import ConfigurationError

READER = {
    "BACKEND_TYPE": "s3",
    "BACKEND_BUCKET": "backups",
    "BACKEND_S3_REGION": "eu-west-1",
    "HOSTNAME": "ksnapshot-drill-x",
    "KSNAPSHOT_CLUSTER": "c",
    "KSNAPSHOT_CRONJOB": "cj",
    "KSNAPSHOT_EXCHANGE": "/exchange",
}


def test_a_reader_needs_no_database_and_no_key() -> None:
    job = DrillJob.from_env(READER)
    assert (job.backup, job.identity_file, job.image) == (LATEST, "", "")
    assert (job.cluster, job.cronjob, job.exchange) == ("c", "cj", "/exchange")
    more = DrillJob.from_env(
        READER
        | {
            "KSNAPSHOT_BACKUP": "r1",
            "KSNAPSHOT_IDENTITY_FILE": "/identity/key.txt",
            "KSNAPSHOT_DRILL_IMAGE": "example/postgres:18",
            "KSNAPSHOT_DEADLINE_SECONDS": "60",
            "KSNAPSHOT_DRILL_CHECKS": "3",
        }
    )
    assert (more.backup, more.identity_file) == ("r1", "/identity/key.txt")
    assert (more.image, more.deadline) == ("example/postgres:18", 60)
    assert (job.checks, more.checks) == (None, 3)


def test_all_faults_of_a_reader_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        DrillJob.from_env({"HOSTNAME": "h"})
    assert "KSNAPSHOT_EXCHANGE is not set" in str(raised.value)
    assert "BACKEND_BUCKET is not set" in str(raised.value)


@pytest.mark.parametrize("engine", [item for item in ENGINES if item.drill_server])
def test_a_client_finds_the_server_of_its_pod_by_itself(engine: object) -> None:
    spec = next(item for item in ENGINES if item is engine)
    assert spec.drill_server
    env = {"KSNAPSHOT_ENGINE": spec.type, "KSNAPSHOT_EXCHANGE": "/exchange"}
    job = RehearseJob.from_env(env, ENGINES)
    login = job.connection
    assert (login.host, login.port, login.password) == ("127.0.0.1", spec.port, "")
    assert (login.username, login.database) == (
        spec.drill_server.user,
        spec.drill_server.database,
    )
    # An empty variable is one that is not set.
    again = RehearseJob.from_env(env | {spec.host_variable: "", spec.port_variable: "7"}, ENGINES)
    assert (again.connection.host, again.connection.port) == ("127.0.0.1", 7)


def test_variables_of_the_engine_lead_a_client_elsewhere() -> None:
    env = {
        "KSNAPSHOT_ENGINE": "postgresql",
        "KSNAPSHOT_EXCHANGE": "/exchange",
        "POSTGRESQL_HOST": "127.0.0.2",
        "POSTGRES_USER": "me",
        "POSTGRESQL_DATABASE": "mine",
    }
    login = RehearseJob.from_env(env, ENGINES).connection
    assert (login.host, login.username, login.database) == ("127.0.0.2", "me", "mine")
    with pytest.raises(ConfigurationError, match="POSTGRESQL_PORT") as raised:
        RehearseJob.from_env({**env, "POSTGRESQL_PORT": "x", "KSNAPSHOT_EXCHANGE": ""}, ENGINES)
    assert "KSNAPSHOT_EXCHANGE is not set" in str(raised.value)


def test_a_client_reads_checks_where_its_engine_takes_them() -> None:
    env = {"KSNAPSHOT_EXCHANGE": "/exchange", "KSNAPSHOT_DRILL_SQL": "SELECT 1;\n\tSELECT 2;\n"}
    job = RehearseJob.from_env({**env, "KSNAPSHOT_ENGINE": "mysql"}, ENGINES)
    assert [check.sql for check in job.checks] == ["SELECT 1", "SELECT 2"]
    with pytest.raises(ConfigurationError, match="is not asked by SQL"):
        RehearseJob.from_env({**env, "KSNAPSHOT_ENGINE": "elasticsearch"}, ENGINES)
    with pytest.raises(ConfigurationError, match="KSNAPSHOT_DRILL_SQL has no statement"):
        RehearseJob.from_env(
            {**env, "KSNAPSHOT_ENGINE": "mysql", "KSNAPSHOT_DRILL_SQL": ";"}, ENGINES
        )
