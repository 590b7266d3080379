import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.sidecars.settings import Remote
from tests.testbed.stores.s3 import S3Server

_UPLOAD = (
    "one of upload table go-routine return error: uploadTableData: one of uploadTableData "
    "go-routine return error: can't upload: UploadCompressedStream errgroup.Wait: S3 "
    "PutFileAbsolute Upload: "
)


def test_an_operation_that_hangs_runs_until_it_is_killed(api: Api, base: str, rows: str) -> None:
    with api.sidecar.faults.held("upload", after=1) as hold:
        begun = api.post(f"/backup/create_remote?name=hung&table={base}.*").row
        hold.wait()
        assert api.status(begun["operation_id"])["status"] == "in progress"
        assert api.post("/backup/kill").row["status"] == "success"
    assert api.status(begun["operation_id"])["status"] == "cancel"
    # The local copy stays, and the remote one is not whole.
    assert api.sidecar.left() == ["backup/hung"]
    assert api.names() == {"hung": "broken (can't stat metadata.json)"}


def test_an_upload_goes_on_object_by_object(
    api: Api, base: str, rows: str, s3: S3Server, bucket: str
) -> None:
    with api.sidecar.faults.held("upload", every=True) as hold:
        begun = api.post(f"/backup/create_remote?name=slow&table={base}.*").row
        for stored in range(2):
            hold.wait()
            assert len(s3.objects(bucket)) == stored
            hold.let_one()
        assert api.ended(begun["operation_id"])["status"] == "success"


def test_whoever_kills_a_stubborn_operation_waits_for_it(api: Api, base: str, rows: str) -> None:
    with (
        ThreadPoolExecutor(1) as other,
        api.sidecar.faults.held("create", stubborn=True) as hold,
    ):
        begun = api.post(f"/backup/create?name=stubborn&table={base}.*").row
        hold.wait()
        killing = other.submit(api.post, "/backup/kill")
        assert api.ended(begun["operation_id"])["status"] == "cancel"
        assert not killing.done()
        hold.release()
        assert killing.result().status == 200
    assert api.sidecar.left() == []


def test_an_error_of_a_step_is_told_with_where_it_came_from(api: Api, base: str, rows: str) -> None:
    api.sidecar.faults.fail("frozen", "made up")
    assert api.run(f"/backup/create?name=failed&table={base}.*")["error"] == (
        "createBackup failed: one of createBackupLocal go-routine return error: "
        "b.AddTableToLocalBackup: made up"
    )


def test_a_full_disk_ends_what_writes_to_it(api: Api, base: str, rows: str) -> None:
    api.run(f"/backup/create_remote?name=before&table={base}.*&delete-source")
    with api.sidecar.faults.full_disk():
        failed = api.run(f"/backup/create_remote?name=full&table={base}.*")
        assert failed["error"].startswith("createBackup failed: write ")
        assert failed["error"].endswith(": no space left on device")
        assert api.run("/backup/download/before")["error"].endswith(": no space left on device")
    assert api.sidecar.left() == []
    assert api.run("/backup/download/before")["status"] == "success"


def test_a_storage_that_refuses_is_told_in_its_own_words(
    start: Start, base: str, rows: str, s3: S3Server, remote: Remote
) -> None:
    wrong = dataclasses.replace(s3.root, secret="wrong")
    api = start(remote=dataclasses.replace(remote, keys=wrong))
    failed = api.run(f"/backup/create_remote?name=refused&table={base}.*")["error"]
    assert failed.startswith(f"{_UPLOAD}operation error S3: PutObject, https response error Status")
    assert "StatusCode: 403, " in failed
    assert "api error SignatureDoesNotMatch: The request signature we calculated" in failed
    assert api.sidecar.left() == ["backup/refused"]
    # A list that cannot be had is an empty one, with a good status.
    listed = api.get("/backup/list/remote")
    assert (listed.status, listed.text) == (200, "")


def test_a_storage_that_fails_midway(
    start: Start, base: str, rows: str, s3: S3Server, remote: Remote, faults: Faults
) -> None:
    proxy = faults.http(s3.port)
    api = start(remote=dataclasses.replace(remote, endpoint=proxy.url))
    proxy.set(Rule(Status(503), method="PUT", nth=2))
    failed = api.run(f"/backup/create_remote?name=midway&table={base}.*")["error"]
    assert failed.startswith(f"{_UPLOAD}operation error S3: PutObject, ")
    assert "StatusCode: 503, " in failed
    proxy.clear()
    assert api.names() == {"midway": "broken (can't stat metadata.json)"}
    # Asked again for what is there, it goes on where it was.
    assert api.run("/backup/upload/midway")["status"] == "success"
    assert api.names() == {"midway": "tar, regular"}
    proxy.set(Rule(Status(503)))
    assert api.get("/backup/list/remote").text == ""
    assert api.run("/backup/upload/midway")["status"] == "error"


def test_without_a_remote_storage_only_local_backups_are_made(
    start: Start, base: str, rows: str
) -> None:
    api = start(remote=None)
    failed = api.run(f"/backup/create_remote?name=local&table={base}.*")["error"]
    assert failed == (
        'validateUploadParams: general->remote_storage shall not be "none" for upload, change you '
        "config or use REMOTE_STORAGE environment variable"
    )
    assert api.names("local") == {"local": "regular"}
    listed = api.get("/backup/list/remote")
    assert (listed.status, listed.text) == (200, "")
    refused = api.post("/backup/delete/remote/local")
    assert (refused.status, refused.row["error"]) == (
        500,
        'aborted: RemoteStorage set to "none"',
    )
    assert "for download" in api.run("/backup/download/local")["error"]


def test_a_sidecar_with_a_wrong_login_of_clickhouse(start: Start, replica: Replica) -> None:
    api = start(clickhouse=Login.make(replica.admin.user))
    failed = api.run("/backup/create?name=nothing")["error"]
    assert failed == (
        "can't connect to clickhouse: code: 193, message: Wrong password for user default"
    )
    refused = api.get("/backup/list")
    assert (refused.status, refused.row["operation"]) == (500, "list")


def test_nothing_to_back_up(api: Api, base: str) -> None:
    assert api.run(f"/backup/create?name=none&table={base}.*")["error"] == "no tables for backup"
    api.sidecar.configure(allow_empty_backups=True)
    assert api.run(f"/backup/create?name=none&table={base}.*")["status"] == "success"


def test_a_server_that_is_away(api: Api, replica: Replica, base: str) -> None:
    replica.kill()
    try:
        refused = api.get("/backup/list")
        assert refused.status == 500
        assert refused.row["error"] == (
            "can't connect to clickhouse: dial tcp: connect: connection refused"
        )
        failed = api.run("/backup/create?name=away")
        assert failed["error"].endswith("connection refused")
        # Its own health does not depend on the server.
        assert api.get("/health").status == 200
    finally:
        replica.start()


@pytest.mark.parametrize("path", ["/backup/restore/nothing", "/backup/restore_remote/nothing"])
def test_what_is_not_there_cannot_be_restored(api: Api, path: str) -> None:
    failed = api.run(path)
    assert failed["status"] == "error"
    told = "'nothing' is not found on remote storage"
    assert failed["error"].endswith(told if "remote" in path else "no such file or directory")
