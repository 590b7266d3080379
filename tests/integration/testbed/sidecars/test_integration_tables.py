import pytest

from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.toolchain.processes import wait_until

_LOCKED = "another operation is currently running"


def test_tables_of_the_server_lead_to_the_sidecar(
    start: Start, replica: Replica, base: str, rows: str
) -> None:
    api = start(integration_tables=True, login=Login.make("api"))
    command = f"create_remote --tables={base}.* --delete-source by_sql"
    replica.sql(f"INSERT INTO system.backup_actions (command) VALUES ('{command}')")
    api.quiet()
    asked = "SELECT status, error FROM system.backup_actions WHERE command = '{}'"
    assert replica.sql(asked.format(command)) == "success\t"
    listed = "SELECT name, location, required, desc FROM system.backup_list"
    assert replica.sql(listed) == "by_sql\tremote\t\ttar, regular"
    assert replica.sql("SELECT version FROM system.backup_version") == "2.8.1"
    insert = "INSERT INTO system.backup_actions (command) VALUES ('{}')"
    with pytest.raises(RuntimeError, match=r"HTTP status code: 400 Bad Request.*unknown command"):
        replica.sql(insert.format("make it"))
    with api.sidecar.faults.held("create") as hold:
        replica.sql(insert.format(f"create --tables={base}.* held"))
        hold.wait()
        with pytest.raises(RuntimeError, match=rf"HTTP status code: 500 .*{_LOCKED}"):
            replica.sql(insert.format("create busy"))
    api.quiet()
    replica.sql("INSERT INTO system.backup_actions (command) VALUES ('delete remote by_sql')")
    assert api.names() == {}


def test_a_sidecar_that_watches_is_busy_and_makes_increments_by_itself(
    start: Start, base: str, rows: str
) -> None:
    api = start()
    begun = api.post(f"/backup/watch?table={base}.*&watch_interval=1s&full_interval=1h&rbac=false")
    assert begun.status == 201
    command = f'watch --watch-interval="1s" --full-interval="1h" --tables="{base}.*"'
    assert begun.row == {"status": "acknowledged", "operation": "watch", "command": command}
    wait_until(lambda: len(api.names()) > 1, seconds=60, what="an increment")
    assert api.post("/backup/create_remote?name=other").status == 423
    assert api.post("/backup/kill").status == 200
    watched = api.get("/backup/actions?filter=watch").row
    assert (watched["status"], watched["error"]) == ("cancel", "canceled from API /backup/kill")
    first, second = api.get("/backup/list/remote").rows[:2]
    assert first["name"].startswith("shard1-full-2")
    assert second["name"].startswith("shard1-increment-2")
    assert second["required"] == first["name"]
    wrong = api.post("/backup/watch?watch_interval=2h&full_interval=1h")
    assert wrong.status == 201
    assert "should be more than watchInterval" in api.quiet()[-1]["error"]
