"""Folders of this repository that tests, the testbed and the demo name."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
GOLDEN = REPOSITORY / "tests" / "golden"
TOOLS = REPOSITORY / "tests" / "tools"
