import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.stores.s3 import S3Server


@pytest.fixture
def chbackup(start: Start) -> Api:
    return start(kind="chbackup", integration_tables=True)


def _made(api: Api, name: str, base: str, **more: object) -> None:
    reply = api.post("/backup/create_remote", {"backup_name": name, "tables": f"{base}.*", **more})
    assert (reply.status, reply.row) == (
        200,
        {"status": "acknowledged", "operation": "create_remote"},
    )
    row = api.quiet()[-1]
    # Which one it was of, the row does not say, nor has it an id.
    assert (row["command"], row["status"], row["error"]) == ("create_remote", "success", "")
    assert "operation_id" not in row


def test_an_increment_of_chbackup_names_the_keys_of_other_backups(
    chbackup: Api, replica: Replica, base: str, rows: str, s3: S3Server, bucket: str
) -> None:
    _made(chbackup, "full", base, delete_source=True)
    replica.sql(f"INSERT INTO {rows} VALUES ('2026-03-01', 1, 'y')")
    _made(chbackup, "more", base, diff_from_remote="full", delete_source=True)
    assert chbackup.sidecar.left() == []
    listed = {one["name"]: one for one in chbackup.get("/backup/list").rows}
    assert {name: (one["required"], one["desc"]) for name, one in listed.items()} == {
        "full": ("", "tar, regular"),
        "more": ("full", "tar, incremental"),
    }
    assert len(s3.objects(bucket, "kept/here/more/data/")) == 1
    assert replica.sql("SELECT name, required FROM system.backup_list ORDER BY name") == (
        "full\t\nmore\tfull"
    )
    total = f"SELECT count(), sum(cityHash64(day, a, s)) FROM {rows}"
    before = replica.sql(total)
    replica.sql(f"DROP TABLE {rows}")
    assert chbackup.post("/backup/restore_remote/more", {}).status == 200
    assert chbackup.quiet()[-1]["status"] == "success"
    assert replica.sql(total) == before
    # A delete asks nobody: what others need goes, and is missed only when they come back.
    assert chbackup.post("/backup/delete/remote/full").row["status"] == "acknowledged"
    assert chbackup.quiet()[-1]["status"] == "success"
    chbackup.post("/backup/delete/local/more")
    chbackup.quiet()
    chbackup.post("/backup/restore_remote/more", {})
    assert chbackup.quiet()[-1]["status"] == "error"


def test_a_query_string_is_passed_over_by_chbackup(chbackup: Api, base: str, rows: str) -> None:
    assert chbackup.post(f"/backup/create?name=mine&table={base}.*").status == 200
    chbackup.quiet()
    [name] = chbackup.names("local")
    assert name != "mine"


def test_chbackup_tells_what_goes_on_and_who_is_too_late(
    chbackup: Api, replica: Replica, base: str, rows: str
) -> None:
    assert chbackup.get("/backup/status").row["status"] == "idle"
    body = {"backup_name": "one", "tables": f"{base}.*"}
    with chbackup.sidecar.faults.held("create") as hold:
        chbackup.post("/backup/create", body)
        hold.wait()
        assert chbackup.get("/backup/status").row["status"] == "running"
        refused = chbackup.post("/backup/create", {"backup_name": "two"})
        assert (refused.status, refused.row) == (423, {"error": "operation already in progress"})
        # By SQL it waits for its turn.
        insert = "INSERT INTO system.backup_actions (command) VALUES ('create -t {}.* two')"
        replica.sql(insert.format(base))
        assert [one["status"] for one in chbackup.get("/backup/actions").rows] == [
            "in progress",
            "in progress",
        ]
    assert [one["status"] for one in chbackup.quiet()] == ["success", "success"]
    assert set(chbackup.names("local")) == {"one", "two"}
    chbackup.post("/backup/create", body)
    assert "backup 'one' already exists at " in chbackup.quiet()[-1]["error"]


def test_chbackup_kills_and_refuses(chbackup: Api, base: str, rows: str) -> None:
    killed = chbackup.post("/backup/kill")
    assert (killed.status, killed.text) == (404, "")
    with chbackup.sidecar.faults.held("frozen") as hold:
        chbackup.post("/backup/create", {"backup_name": "one", "tables": f"{base}.*"})
        hold.wait()
        killed = chbackup.post("/backup/kill")
    assert (killed.status, killed.text) == (200, "killed")
    assert chbackup.get("/backup/actions").row["status"] == "cancel"
    assert chbackup.get("/api/v1/actions").text.count('"status":"killed"') == 1
    refused = chbackup.post("/backup/create", {"backup_name": "latest"})
    assert refused.status == 400
    assert refused.row["error"].startswith("invalid backup name: backup name must not be a reserv")
    refused = chbackup.post("/backup/actions", {"command": "make it"})
    assert (refused.status, refused.row["error"]) == (400, "invalid command: make it")
    assert chbackup.post("/backup/delete/elsewhere/one").status == 400


def test_who_may_ask_chbackup(start: Start) -> None:
    login = Login.make("api")
    api = start(kind="chbackup", login=login)
    assert api.get("/backup/version").row == {
        "version": "0.1.0",
        "clickhouse_version": api.sidecar.server.version(),
    }
    stranger = Api(sidecar=api.sidecar)
    refused = stranger.get(f"/health?user={login.user}&pass={login.password}")
    assert (refused.status, refused.text) == (401, "Unauthorized")


def test_a_backup_of_chbackup_that_was_cut_off(chbackup: Api, base: str, rows: str) -> None:
    chbackup.sidecar.configure(complete_resumable_after_restart=False)
    with chbackup.sidecar.faults.held("metadata") as hold:
        chbackup.post("/backup/create_remote", {"backup_name": "cut", "tables": f"{base}.*"})
        hold.wait()
        chbackup.sidecar.restart()
    assert chbackup.names() == {"cut": "broken: metadata.json not found"}
    chbackup.post("/backup/clean/remote_broken")
    chbackup.quiet()
    assert chbackup.names() == {}
