import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Cluster, Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.sidecars.settings import Remote, Settings
from tests.testbed.sidecars.sidecar import start_sidecars
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


def test_sidecars_that_listen_on_localhost_only_are_had_by_their_own_servers(
    cluster: Cluster, base: str, remote: Remote
) -> None:
    cluster.everywhere(f"CREATE TABLE {base}.own (a UInt64) ENGINE = MergeTree ORDER BY a")
    settings = Settings(remote=remote, integration_tables=True)
    with start_sidecars(cluster, settings, local=True) as found:
        assert {one.host for one in found.values()} == {"127.0.0.1"}
        for shard in (1, 2):
            replica = cluster.replica(shard, 1)
            replica.sql(f"INSERT INTO {base}.own VALUES ({shard})")
            line = f"create_remote --tables={base}.* --delete-source by_sql"
            replica.sql(f"INSERT INTO system.backup_actions (command) VALUES ('{line}')")
        for shard in (1, 2):
            Api(sidecar=found[shard, 1]).quiet()
            listed = "SELECT name, location FROM system.backup_list"
            assert cluster.replica(shard, 1).sql(listed) == "by_sql\tremote"
    # With the sidecars their tables are gone: only a test's servers are tidied up like this.
    assert cluster.replica(1, 1).sql("EXISTS TABLE system.backup_list") == "0"


def test_a_sidecar_that_watches_is_busy_and_makes_increments_by_itself(
    start: Start, base: str, rows: str
) -> None:
    api = start()
    begun = api.post(f"/backup/watch?table={base}.*&watch_interval=1s&full_interval=1h&rbac=false")
    assert begun.status == 201
    command = f'watch --watch-interval="1s" --full-interval="1h" --tables="{base}.*"'
    assert begun.row == {"status": "acknowledged", "operation": "watch", "command": command}
    # The one that is under way is broken until its end.
    whole = "tar, regular"
    wait_until(lambda: [*api.names().values()].count(whole) > 1, seconds=60, what="an increment")
    assert api.post("/backup/create_remote?name=other").status == 423
    assert api.post("/backup/kill").status == 200
    watched = api.get("/backup/actions?filter=watch").row
    assert (watched["status"], watched["error"]) == ("cancel", "canceled from API /backup/kill")
    listed = [one for one in api.get("/backup/list/remote").rows if one["desc"] == whole]
    first, second = listed[:2]
    assert first["name"].startswith("shard1-full-2")
    assert second["name"].startswith("shard1-increment-2")
    assert second["required"] == first["name"]
    wrong = api.post("/backup/watch?watch_interval=2h&full_interval=1h")
    assert wrong.status == 201
    assert "should be more than watchInterval" in api.quiet()[-1]["error"]
