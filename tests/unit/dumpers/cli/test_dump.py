import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dumpers.cli.main import main
from dumpers.contract.result import DumpResult
from dumpers.runtime.errors import ExitCode
from dumpers.runtime.version import VERSION


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    for name in ("HOSTNAME", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KSNAPSHOT_TERMINATION_LOG", str(path))
    return path


def test_without_a_verb_it_dumps_and_names_every_fault(termination_log: Path) -> None:
    ended = CliRunner().invoke(main, [])
    assert ended.exit_code == ExitCode.CONFIGURATION
    result = DumpResult.from_json(termination_log.read_text())
    assert (result.succeeded, result.reason) == (False, "ConfigurationInvalid")
    for name in ("KSNAPSHOT_ENGINE", "BACKEND_BUCKET", "HOSTNAME"):
        assert f"{name} is not set" in result.message


def test_a_fault_of_ours_is_a_result_too(
    termination_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> DumpResult:
        raise LookupError("this text could hold a secret")

    monkeypatch.setattr("dumpers.cli.dump._dump", broken)
    ended = CliRunner().invoke(main, ["dump"])
    assert ended.exit_code == ExitCode.INTERNAL
    document = json.loads(termination_log.read_text())
    assert document["reason"] == "InternalError"
    assert "LookupError" in document["message"]
    assert "secret" not in document["message"]


@pytest.mark.parametrize(("count", "logged"), [(1, 1), (10, 10), (11, 0), (10_000, 0)])
def test_the_log_names_few_objects_and_counts_many(
    termination_log: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    logged: int,
) -> None:
    def many() -> DumpResult:
        keys = tuple(f"ksnapshot/2026/01/02/mysql/dump-pod-shop/table-{n}" for n in range(count))
        return DumpResult(
            succeeded=True,
            exit_code=ExitCode.DONE,
            reason="Succeeded",
            message="",
            keys=keys,
            key_count=count,
            record="ksnapshot/manifests/c/cj/20260102T030405Z-r1/",
        )

    monkeypatch.setattr("dumpers.cli.dump._dump", many)
    ended = CliRunner().invoke(main, ["dump"])
    assert ended.exit_code == ExitCode.DONE
    result = DumpResult.from_json(termination_log.read_text())
    assert result.key_count == count
    [line] = ended.stderr.splitlines()
    shown = json.loads(line)
    assert (shown["message"], len(shown.get("keys", ()))) == ("dump done", logged)
    assert (shown["key_count"], shown["record"]) == (count, result.record)
    assert len(line) < 2000


def test_the_termination_log_is_not_needed(
    termination_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KSNAPSHOT_TERMINATION_LOG", "/no/such/folder/log")
    assert CliRunner().invoke(main, []).exit_code == ExitCode.CONFIGURATION


def test_help_says_what_the_exit_codes_mean() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for code in ExitCode:
        if code is not ExitCode.INTERNAL:
            assert str(code.value) in shown


def test_version() -> None:
    assert VERSION in CliRunner().invoke(main, ["--version"]).output
