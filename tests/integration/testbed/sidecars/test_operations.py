import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.stores.s3 import S3Server
from tests.testbed.toolchain import pki
from tests.testbed.toolchain.processes import wait_until

_LOCKED = "another operation is currently running"


@pytest.fixture
def called() -> Iterator[tuple[str, "Queue[dict[str, Any]]"]]:
    """An address, and what is told it."""
    told: Queue[dict[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/done?for=me", told
        server.shutdown()
        thread.join()


def test_an_operation_is_followed_by_its_id(api: Api, base: str, rows: str) -> None:
    with api.sidecar.faults.held("upload") as hold:
        begun = api.post(f"/backup/create_remote?name=a/b..c d&table={base}.*".replace(" ", "%20"))
        assert (begun.status, begun.content) == (201, "application/json; charset=UTF-8")
        assert begun.row["status"] == "acknowledged"
        # A name is cleaned, and told as it is now.
        assert begun.row["backup_name"] == "abcd"
        hold.wait()
        row = api.status(begun.row["operation_id"])
        assert (row["status"], "finish" in row) == ("in progress", False)
        assert api.get("/backup/status?operationid=unknown").text == ""
        assert api.get("/backup/status").row == row
    row = api.ended(begun.row["operation_id"])
    assert row["status"] == "success"
    assert row["start"] <= row["finish"]
    assert api.get("/backup/actions?filter=create_remote&last=1").row == row


def test_a_busy_sidecar_refuses_each_door_in_its_own_way(
    api: Api, base: str, rows: str, s3: S3Server
) -> None:
    with api.sidecar.faults.held("create") as hold:
        begun = api.post(f"/backup/create?name=first&table={base}.*").row
        hold.wait()
        refused = api.post("/backup/create_remote?name=second")
        assert (refused.status, refused.row["error"]) == (423, _LOCKED)
        assert api.post("/backup/delete/local/first").status == 423
        action = api.post("/backup/actions", {"command": "create third"})
        assert (action.status, action.row["error"]) == (500, _LOCKED)
        assert api.get("/backup/list").status == 200
        api.sidecar.configure(allow_parallel=True)
        assert api.run(f"/backup/create?name=second&table={base}.*")["status"] == "success"
        failed = api.run(f"/backup/create_remote?name=first&table={base}.*")["error"]
        assert failed.startswith("another clickhouse-backup `create` command is already running ")
    assert api.ended(begun["operation_id"])["status"] == "success"
    assert set(api.names("local")) == {"first", "second"}


def test_a_restarted_sidecar_forgets_its_operations_but_goes_on_with_an_upload(
    api: Api, base: str, rows: str
) -> None:
    with api.sidecar.faults.held("upload", after=1) as hold:
        begun = api.post(f"/backup/create_remote?name=cut&table={base}.*").row
        hold.wait()
        api.sidecar.kill()
    with pytest.raises(ConnectionError):
        api.get("/backup/status")
    api.sidecar.start()
    assert api.get(f"/backup/status?operationid={begun['operation_id']}").text == ""
    wait_until(lambda: api.names() == {"cut": "tar, regular"}, seconds=60, what="the backup")
    uploads = [one for one in api.quiet() if one["command"].startswith("upload")]
    assert [(one["command"], one["status"]) for one in uploads] == [
        (f"upload --tables={base}.* --resumable=1 cut", "success")
    ]
    assert "operation_id" not in uploads[0]


def test_an_upload_that_was_cut_off_leaves_a_broken_backup(
    start: Start, base: str, rows: str, s3: S3Server, bucket: str
) -> None:
    api = start(complete_resumable_after_restart=False)
    with api.sidecar.faults.held("metadata") as hold:
        api.post(f"/backup/create_remote?name=cut&table={base}.*")
        hold.wait()
        api.sidecar.kill()
    api.sidecar.start()
    assert api.names() == {"cut": "broken (can't stat metadata.json)"}
    assert api.get("/backup/list/remote").row["created"] == "0001-01-01 00:00:00"
    assert len(s3.objects(bucket)) == 3
    assert "number_backups_remote_broken 1\n" in api.get("/metrics").text
    # The local copy is whole, and stays.
    assert api.sidecar.left() == ["backup/cut"]
    # A base that is broken is taken all the same: nothing is left out, and yet it is required.
    done = api.run(f"/backup/create_remote?name=next&table={base}.*&diff-from-remote=cut")
    assert done["status"] == "success"
    assert api.get("/backup/list/remote").rows[-1]["required"] == "cut"
    # And missed when it comes back, although all the parts are there.
    assert api.post("/backup/delete/local/next?force=1").status == 200
    failed = api.run("/backup/restore_remote/next")["error"]
    assert failed.endswith("cut is broken (can't stat metadata.json) on remote storage")
    assert api.post("/backup/clean/remote_broken").row["status"] == "success"
    assert api.names() == {"next": "tar, regular"}


def test_a_killed_operation_is_cancelled_and_waited_for(api: Api, base: str, rows: str) -> None:
    with api.sidecar.faults.held("frozen") as hold:
        begun = api.post(f"/backup/create?name=ended&table={base}.*").row
        hold.wait()
        killed = api.post(
            f"/backup/kill?command=create --tables=%22{base}.*%22 ended".replace(" ", "%20")
        )
    assert killed.row["status"] == "success"
    row = api.status(begun["operation_id"])
    assert (row["status"], row["error"]) == ("cancel", "canceled from API /backup/kill")
    # What was begun is tidied up, the frozen parts too.
    assert api.sidecar.left() == []
    again = api.post("/backup/kill")
    assert (again.status, again.row["error"]) == (500, "command `` not found")


def test_a_restart_by_the_api_keeps_the_rows_and_calls_all_of_them_cancelled(
    api: Api, base: str, rows: str
) -> None:
    api.run(f"/backup/create?name=done&table={base}.*")
    assert api.post("/restart").row == {"status": "acknowledged", "operation": "restart"}
    [row] = api.get("/backup/actions").rows
    assert (row["status"], row["error"]) == ("cancel", "canceled via API /restart")


def test_a_backup_by_a_name_that_is_taken(
    start: Start, replica: Replica, base: str, rows: str
) -> None:
    api = start()
    path = f"/backup/create_remote?name=same&table={base}.*"
    assert api.run(path)["status"] == "success"
    # With resumable state, as is the default, the first is silently written over.
    assert api.run(path)["status"] == "success"
    api.sidecar.configure(use_resumable_state=False)
    failed = api.run(path)["error"]
    assert failed == "createBackup failed: 'same' medatata.json already exists"
    # And the local backup that was there is gone with the one that failed.
    assert api.sidecar.left() == []
    failed = api.run(path)["error"]
    assert failed == "'same' already exists on remote storage"
    assert api.run("/backup/upload/nothing")["error"] == (
        "can't find local backup: backup 'nothing' is not found"
    )


def test_a_row_shows_what_was_asked_for(api: Api, base: str, rows: str) -> None:
    name = f"{base}.*"
    api.run(f"/backup/create?name=row&table={name}&partitions=202601&partitions=202602&rbac=false")
    asked = f"/backup/upload/row?table={name}&diff_from_remote=row&delete_source&resumable"
    begun = api.post(asked)
    assert begun.row.keys() == {"status", "operation", "backup_name", "diff", "operation_id"}
    # A flag is true by being there, and each command has an order and spellings of its own.
    assert [one["command"] for one in api.quiet()] == [
        f'create --tables="{name}" --partitions="202601" --partitions="202602" --rbac row',
        f'upload --deleteSource --diff-from-remote="row" --tables="{name}" --resume row',
    ]
    assert api.quiet()[-1]["error"] == (
        "validateUploadParams: you cannot upload diff from the same backup"
    )


def test_who_may_ask(start: Start) -> None:
    login = Login.make("api")
    api = start(login=login)
    stranger = Api(sidecar=api.sidecar)
    refused = stranger.get("/backup/list")
    assert (refused.status, refused.text) == (401, "401 Unauthorized\n")
    assert Api(sidecar=api.sidecar, login=Login.make("api")).get("/").status == 401
    assert api.get("/backup/list").status == 200
    asked = f"/backup/list?user={login.user}&pass={login.password}"
    assert stranger.get(asked).status == 200
    # What is no route is told to everybody.
    assert stranger.get("/backup/nothing").status == 404
    assert stranger.get("/backup/create").row["error"] == "405 Method GET Not Allowed"


def test_tls(start: Start, tmp_path: Path, replica: Replica) -> None:
    authority = pki.authority(tmp_path)
    api = start(tls=authority.server("sidecar", [replica.host]))
    trusting = Api(sidecar=api.sidecar, ca=authority.pair.cert)
    assert trusting.get("/backup/version").row == {"version": "2.8.1"}
    assert trusting.get("/health").row == {"status": "OK"}


@pytest.mark.parametrize(
    ("version", "more"), [("2.8.1", {"command", "duration"}), ("2.8.0", set())]
)
def test_whoever_is_named_is_told_of_the_end(
    start: Start,
    base: str,
    rows: str,
    called: tuple[str, "Queue[dict[str, Any]]"],
    version: str,
    more: set[str],
) -> None:
    api, (url, told) = start(version=version), called
    begun = api.post(f"/backup/create?name=told&table={base}.*&callback={url}").row
    first = told.get(timeout=60)
    assert first.keys() == {"status", "error", "operation_id", *more}
    assert (first["status"], first["operation_id"]) == ("success", begun["operation_id"])
    api.run(f"/backup/upload/nothing?callback={url}")
    assert told.get(timeout=60)["status"] == "error"


def test_older_releases_lack_routes_ids_and_flags(start: Start, base: str, rows: str) -> None:
    oldest = start(version="2.6.29")
    assert oldest.post("/backup/create_remote?name=x").status == 404
    begun = oldest.post(f"/backup/create?name=old&table={base}.*").row
    assert begun.keys() == {"status", "operation", "backup_name"}
    oldest.quiet()
    # From the release on that knows ids, the one of `create_remote` at first leads nowhere.
    newer = start(version="2.6.39")
    begun = newer.post(f"/backup/create_remote?name=new&table={base}.*&delete-source").row
    assert newer.get(f"/backup/status?operationid={begun['operation_id']}").text == ""
    assert newer.quiet()[-1]["status"] == "success"
    # A route passes over a flag that its release does not know; a command line does not.
    old = start(version="2.6.33")
    row = old.run(f"/backup/create?name=flags&table={base}.*&named-collections")
    assert row["command"] == f'create --tables="{base}.*" flags'
    line = {"command": "create_remote --named-collections other"}
    assert old.post("/backup/actions", line).row["status"] == "acknowledged"
    assert old.quiet()[-1]["error"] == "flag provided but not defined: -named-collections"
