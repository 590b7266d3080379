from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.cli.backup_verbs.restore import restore
from controller.client.restore.options import Address, OptionError
from controller.client.restore.wanted import RestoreWanted, read_wanted
from dumpers.contract.restore.request import RestoreMode, RestoreRequest

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def wanted(*arguments: str) -> RestoreWanted:
    """What a command line asks for, as click reads it."""
    context = restore.make_context("restore", ["shop/db", *arguments])
    given: dict[str, Any] = context.params
    return read_wanted(given, NOW)


def test_by_default_the_latest_goes_into_an_empty_database() -> None:
    found = wanted()
    assert found.backup == "latest"
    assert found.request == RestoreRequest()
    assert found.address == Address()
    assert found.writes_in_place


@pytest.mark.parametrize(
    ("arguments", "backup"),
    [
        (["--backup", "3f9c"], "3f9c"),
        (["--at", "2026-02-28 03:00"], "at:2026-02-28T03:00:00Z"),
        (["--at", "1 hour ago"], "at:2026-03-01T11:00:00Z"),
    ],
)
def test_which_backup(arguments: list[str], backup: str) -> None:
    assert wanted(*arguments).backup == backup


def test_the_request() -> None:
    found = wanted(
        *("--beside", "--databases", "a,b", "--tables", "t", "--tables", "u"),
        *("--as", "a:c", "--suffix", "_x", "--globals", "--partitions", "t: 1"),
    )
    assert found.request == RestoreRequest(
        mode=RestoreMode.BESIDE,
        databases=("a", "b"),
        tables=("t", "u"),
        names={"a": "c"},
        suffix="_x",
        globals=True,
        partitions="t: 1",
    )
    assert not found.writes_in_place
    assert RestoreRequest.from_json(found.request.to_json()) == found.request


def test_a_plan_writes_nothing() -> None:
    assert not wanted("--swap", "--plan").writes_in_place


@pytest.mark.parametrize(
    "arguments",
    [
        ["--swap", "--beside"],
        ["--backup", "x", "--at", "now"],
        ["--at", "soon"],
        ["--to", "db:x"],
        ["--to", "db", "--to-workload", "a/b"],
        ["--as", "a"],
        ["--identity", "KEY", "--identity-secret", "s"],
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, arguments: list[str]) -> None:
    key = tmp_path / "key"
    key.touch()
    named = [str(key) if text == "KEY" else text for text in arguments]
    with pytest.raises(OptionError, match=f"^{arguments[0]}|{arguments[-2]}"):
        wanted(*named)
