"""The entry point of the images, as a process."""

import subprocess
import sys
from pathlib import Path

from tests.paths import REPOSITORY


def test_what_keeps_it_from_starting_is_told(tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('a file is missing')\n")
    ended = subprocess.run(
        [sys.executable, "-m", "dumpers"],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "ImportError: a file is missing" in ended.stderr
