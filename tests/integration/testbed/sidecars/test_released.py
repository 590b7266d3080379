import json
import sys
from pathlib import Path

import pytest

from tests.integration.testbed.sidecars.asking import Api
from tests.integration.testbed.sidecars.conftest import Start
from tests.testbed.databases.clickhouse import Replica
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.sidecars.released import PROGRAM, ReleasedSidecar
from tests.testbed.sidecars.settings import Remote

# It shows what a program is told where one is named; it is no clickhouse-backup.
_SHOWS_ITS_ENVIRONMENT = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps([sys.argv[1:], dict(os.environ)]).encode())
host, port = os.environ["API_LISTEN"].split(":")
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{_SHOWS_ITS_ENVIRONMENT}")
    program.chmod(0o755)
    monkeypatch.setenv(PROGRAM, f"{program}")
    return program


def _told(api: Api) -> tuple[list[str], dict[str, str]]:
    arguments, told = json.loads(api.get("/").text)
    return arguments, told


def test_a_named_program_is_started_with_its_settings_in_the_environment(
    program: Path, start: Start, replica: Replica, remote: Remote
) -> None:
    login = Login.make("api")
    api = start(login=login, integration_tables=False, backups_to_keep_local=-1)
    assert isinstance(api.sidecar, ReleasedSidecar)
    arguments, told = _told(api)
    # No secret is an argument.
    assert arguments == ["server"]
    expected = {
        "API_USERNAME": login.user,
        "API_PASSWORD": login.password,
        "API_CREATE_INTEGRATION_TABLES": "false",
        "BACKUPS_TO_KEEP_LOCAL": "-1",
        "CLICKHOUSE_HOST": replica.host,
        "CLICKHOUSE_PORT": f"{replica.tcp_port}",
        "CLICKHOUSE_PASSWORD": replica.admin.password,
        "REMOTE_STORAGE": "s3",
        "S3_ENDPOINT": remote.endpoint,
        "S3_BUCKET": remote.bucket,
        "S3_PATH": "kept/here",
        "S3_SECRET_KEY": remote.keys.secret,
        "S3_DISABLE_SSL": "true",
    }
    assert {name: told[name] for name in expected} == expected
    api.sidecar.kill()
    with pytest.raises(ConnectionError):
        api.get("/")
    api.sidecar.start()
    assert _told(api)[0] == ["server"]


def test_what_a_program_cannot_be_told_is_skipped(program: Path, start: Start) -> None:
    api = start()
    with (
        pytest.raises(pytest.skip.Exception, match="cannot be held at `upload`"),
        api.sidecar.faults.held("upload"),
    ):
        pass
    with pytest.raises(pytest.skip.Exception, match="cannot fail at"):
        api.sidecar.faults.fail("upload", "made up")
    with pytest.raises(pytest.skip.Exception, match="no other settings"):
        api.sidecar.configure(allow_parallel=True)


@pytest.mark.parametrize("asked", [{"kind": "chbackup"}, {"version": "2.6.29"}])
def test_another_kind_or_version_is_still_the_protocol_server(
    program: Path, start: Start, asked: dict[str, str]
) -> None:
    assert not isinstance(start(**asked).sidecar, ReleasedSidecar)
