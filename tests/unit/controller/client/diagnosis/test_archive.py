import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from controller.client.diagnosis.archive import ABOUT, gather, redacted, write
from controller.client.diagnosis.parts import Part, Partly
from controller.client.terminal.errors import CommandError
from controller.kube.client import ForbiddenError


def _refused() -> Any:
    raise ForbiddenError("pods is forbidden")


def test_a_part_that_is_missing_is_named_and_the_rest_is_there(tmp_path: Path) -> None:
    parts = [
        Part(file="a.json", read=lambda: [{"kind": "Job"}]),
        Part(file="b.json", read=_refused),
        Part(file="c.log", read=lambda: ["one", "two"]),
        Part(file="d.json", read=lambda: Partly(value=[1], why="it stopped")),
    ]
    target = tmp_path / "report.zip"
    write(target, redacted(gather(parts), {"version": 1}))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with zipfile.ZipFile(target) as found:
        texts = {name: found.read(name).decode() for name in found.namelist()}
    assert set(texts) == {ABOUT, "a.json", "c.log", "d.json"}
    assert texts["c.log"] == "one\ntwo"
    assert json.loads(texts["d.json"]) == [1]
    assert json.loads(texts[ABOUT]) == {
        "version": 1,
        "missing": [
            {"file": "b.json", "why": "pods is forbidden"},
            {"file": "d.json", "why": "it stopped"},
        ],
    }
    with pytest.raises(CommandError, match="is there already"):
        write(target, texts)
