from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.client.fetch.wanted import read_wanted
from controller.client.restore.options import OptionError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NONE: dict[str, Any] = {
    "backup": "",
    "at": "",
    "identity": None,
    "output": "",
    "objects": (),
    "only_list": False,
    "stored": False,
    "through_cluster": False,
    "from_cluster": "",
}


@pytest.mark.parametrize(
    ("given", "backup"),
    [
        ({}, "latest"),
        ({"backup": "3f9c"}, "3f9c"),
        ({"at": "5 minutes ago"}, "at:2026-01-02T02:59:05Z"),
    ],
)
def test_which_backup(given: dict[str, Any], backup: str) -> None:
    assert read_wanted(NONE | given, NOW).backup == backup


@pytest.mark.parametrize(
    ("output", "path", "is_folder"),
    [
        ("", None, False),
        ("-", None, False),
        ("shop.sql", Path("shop.sql"), False),
        ("new/", Path("new"), True),
        ("{there}", Path("{there}"), True),
    ],
)
def test_where_to(tmp_path: Path, output: str, path: Path | None, *, is_folder: bool) -> None:
    there = str(tmp_path)
    wanted = read_wanted(NONE | {"output": output.format(there=there)}, NOW)
    assert wanted.path == (path and Path(str(path).format(there=there)))
    assert wanted.is_folder == is_folder


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"backup": "3f9c", "at": "yesterday"}, "give one of them"),
        ({"at": "soon"}, "is no time"),
        ({"stored": True, "identity": Path("/dev/null")}, "needs no key"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], why: str) -> None:
    with pytest.raises(OptionError, match=why):
        read_wanted(NONE | given, NOW)
