import sys
from pathlib import Path

import pytest

from dumpers.runtime.errors import SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.held_tool import HeldToolReader
from dumpers.streams.tools.tool import Command
from tests.testbed.toolchain.processes import wait_until

MIB = 1 << 20
# More than any pipe holds: the tool gets on only if somebody takes what it writes.
SCRIPT = """
import os, sys
for number in range(4):
    sys.stdout.buffer.write(bytes([48 + number]) * (1 << 20))
    sys.stdout.flush()
    open(sys.argv[1], "a").write("x")
sys.stdout.write("END")
sys.exit(int(sys.argv[2]))
"""
WHOLE = b"".join(bytes([48 + number]) * MIB for number in range(4)) + b"END"


def held(folder: Path, *, status: int = 0) -> HeldToolReader:
    command = Command(
        argv=[sys.executable, "-c", SCRIPT, str(folder / "steps"), str(status)],
        env={},
        failure=lambda status, _: SourceFailedError(f"status {status}"),
    )
    return HeldToolReader(
        command,
        proof=lambda _, tail: None if tail.endswith(b"END") else "no END",
        interrupt=Interrupt(),
        step_seconds=0.01,
    )


def read_all(reader: HeldToolReader) -> bytes:
    data = b""
    while block := reader.read(100_000):
        data += block
    return data


def test_a_tool_gets_on_while_nobody_reads_and_nothing_is_lost(tmp_path: Path) -> None:
    with held(tmp_path) as reader:
        steps = tmp_path / "steps"
        wait_until(
            lambda: steps.exists() and len(steps.read_text()) == 4, seconds=60, what="the tool"
        )
        assert read_all(reader) == WHOLE


def test_what_was_read_ahead_does_not_excuse_an_exit_status(tmp_path: Path) -> None:
    with held(tmp_path, status=3) as reader, pytest.raises(SourceFailedError, match="status 3"):
        read_all(reader)


def test_it_ends_with_its_reader(tmp_path: Path) -> None:
    with held(tmp_path) as reader:
        assert reader.read(10) == WHOLE[:10]
    assert not reader._thread.is_alive()
