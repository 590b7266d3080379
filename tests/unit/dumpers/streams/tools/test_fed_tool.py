import io
import sys
from collections.abc import Iterator

import pytest

from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    SourceFailedError,
    StorageFailedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import IterReader, Reader
from dumpers.streams.tools.fed_tool import FedToolReader
from dumpers.streams.tools.tool import Command

_PASS_ON = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


def read_all(script: str, source: Reader, interrupt: Interrupt | None = None) -> bytes:
    def failure(status: int, said: str) -> KsnapshotError:
        return SourceFailedError(f"status {status}: {said}")

    command = Command(argv=[sys.executable, "-c", script], env={}, failure=failure)
    data = b""
    with FedToolReader(
        command, source, proof=lambda *_: None, interrupt=interrupt or Interrupt()
    ) as reader:
        while block := reader.read(1 << 16):
            data += block
        assert reader.read() == b""
    return data


def broken(*blocks: bytes) -> Reader:
    def parts() -> Iterator[bytes]:
        yield from blocks
        raise StorageFailedError("its sha256 is another")

    return IterReader(parts())


@pytest.mark.parametrize("size", [0, 1, 10 << 20])
def test_all_goes_through(size: int) -> None:
    assert read_all(_PASS_ON, io.BytesIO(b"x" * size)) == b"x" * size


@pytest.mark.parametrize(
    "script", [_PASS_ON, "import sys; sys.stdin.buffer.read(3)", "print('all')"]
)
def test_the_end_of_a_source_without_proof_is_no_end(script: str) -> None:
    # Also where the tool needs nothing of what was not proven.
    with pytest.raises(StorageFailedError, match="sha256"):
        read_all(script, broken(b"abc", b"d" * (4 << 20)))


def test_a_tool_may_leave_some_of_it_unread() -> None:
    assert read_all("print('done', end='')", io.BytesIO(b"x" * (4 << 20))) == b"done"


def test_a_tool_that_fails_is_not_fed_on() -> None:
    source = io.BytesIO(b"x" * (64 << 20))
    with pytest.raises(SourceFailedError, match="status 3: no archive"):
        read_all("import sys; sys.stderr.write('no archive'); sys.exit(3)", source)
    assert source.tell() < 32 << 20


def test_a_tool_that_says_nothing_is_stopped() -> None:
    interrupt = Interrupt(0.3)
    with pytest.raises(InterruptedRunError):
        read_all("import time; time.sleep(60)", io.BytesIO(b"x" * (4 << 20)), interrupt)
