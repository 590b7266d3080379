import io
import os
import signal
import sys
from pathlib import Path

import pytest

from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    SourceFailedError,
    SourceRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BLOCK_BYTES
from dumpers.streams.tools.pipes import let_fill, widen_pipe
from dumpers.streams.tools.tool import Command, ToolReader, run_for_output, run_with_stdin


def failure(status: int, said: str) -> KsnapshotError:
    return SourceFailedError(f"status {status}: {said}")


def tool(script: str, *, secrets: tuple[str, ...] = ()) -> Command:
    return Command(argv=[sys.executable, "-c", script], env={}, secrets=secrets, failure=failure)


def read_all(command: Command, interrupt: Interrupt | None = None) -> bytes:
    def proof(_head: bytes, tail: bytes) -> str | None:
        return None if tail.endswith(b"END") else "no END"

    data = b""
    with ToolReader(command, proof=proof, interrupt=interrupt or Interrupt()) as reader:
        while block := reader.read(1000):
            data += block
        assert reader.read() == b""
    return data


def test_a_whole_output_is_read() -> None:
    data = read_all(tool("print('x' * 300000 + 'END', end='')"))
    assert len(data) == 300003


def test_pieces_that_come_slower_than_they_are_read_come_together() -> None:
    pieces = 5000
    script = f"import os\nfor _ in range({pieces}): os.write(1, b'x' * 100)\nos.write(1, b'END')"
    reads, size = 0, 0
    with ToolReader(tool(script), proof=lambda _head, _tail: None, interrupt=Interrupt()) as reader:
        while block := reader.read(BLOCK_BYTES):
            reads, size = reads + 1, size + len(block)
    assert size == pieces * 100 + len("END")
    assert reads < pieces / 4


def test_a_pipe_is_made_wide_and_what_is_none_is_not() -> None:
    read, write = os.pipe()
    try:
        assert widen_pipe(read)
        os.write(write, b"some")
        let_fill(read, 1000)
        let_fill(read, 2)
        assert os.read(read, 100) == b"some"
    finally:
        os.close(read)
        os.close(write)
    with Path("/dev/null").open("rb") as file:
        assert not widen_pipe(file.fileno())


def test_an_output_without_its_end_is_no_dump_although_the_tool_exits_0() -> None:
    with pytest.raises(SourceFailedError, match="not a whole dump: no END"):
        read_all(tool("print('half of it')"))


def test_no_output_at_all_is_no_dump() -> None:
    with pytest.raises(SourceFailedError, match="not a whole dump"):
        read_all(tool(""))


def test_a_proper_end_does_not_excuse_an_exit_status() -> None:
    with pytest.raises(SourceFailedError, match="status 3: went wrong"):
        read_all(
            tool("import sys; print('END', end=''); sys.stderr.write('went wrong'); sys.exit(3)")
        )


def test_a_killed_tool_is_told_as_probably_out_of_memory() -> None:
    with pytest.raises(SourceFailedError, match="out of memory"):
        read_all(tool("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))


def test_another_signal_is_told_by_its_number() -> None:
    with pytest.raises(SourceFailedError, match=f"status -{signal.SIGTERM.value}"):
        read_all(tool("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))


def test_a_talkative_stderr_does_not_block_the_output() -> None:
    script = "import sys; sys.stderr.write('e' * 1000000); print('END', end='')"
    assert read_all(tool(script)) == b"END"


def test_secrets_are_masked_in_what_the_tool_says() -> None:
    with pytest.raises(SourceFailedError) as caught:
        read_all(tool("import sys; sys.exit('login hunter-22 failed')", secrets=("hunter-22", "")))
    assert "hunter-22" not in str(caught.value)
    assert "login *** failed" in str(caught.value)


def test_a_password_that_is_a_word_leaves_the_message_as_it_is() -> None:
    with pytest.raises(SourceFailedError, match="pg_dump: password wrong"):
        read_all(tool("import sys; sys.exit('pg_dump: password wrong')", secrets=("p", "password")))


def test_a_tool_that_is_not_there_names_the_image() -> None:
    command = Command(argv=["no-such-tool"], env={}, failure=failure)
    with pytest.raises(SourceRefusedError, match="no-such-tool is not in this image"):
        run_for_output(command, interrupt=Interrupt())


def test_the_tool_sees_only_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_S3_SECRET_KEY", "s")
    script = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
    assert run_for_output(tool(script), interrupt=Interrupt()) == "['PATH']"


def test_a_signal_ends_a_silent_tool(tmp_path: Path) -> None:
    interrupt = Interrupt()
    script = (
        "import os, time; "
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); "
        "print('started', flush=True); time.sleep(600)"
    )
    proof = lambda _head, _tail: None  # noqa: E731
    reader = ToolReader(tool(script), proof=proof, interrupt=interrupt)
    with pytest.raises(InterruptedRunError, match="SIGTERM"), reader:  # noqa: PT012
        assert reader.read() == b"started\n"
        interrupt.cancel("SIGTERM")
        reader.read()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_deadline_ends_a_silent_tool() -> None:
    with pytest.raises(InterruptedRunError, match="deadline"):
        read_all(tool("import time; time.sleep(600)"), Interrupt(0.05))


def test_a_tool_that_is_fed_must_take_all_of_it() -> None:
    rows = b"row\n" * 500_000
    run_with_stdin(tool("import sys; sys.stdin.read()"), io.BytesIO(rows), interrupt=Interrupt())
    with pytest.raises(SourceFailedError, match="before it had read everything"):
        run_with_stdin(
            tool("import sys; sys.stdin.read(10)"), io.BytesIO(rows), interrupt=Interrupt()
        )
    with pytest.raises(SourceFailedError, match="status 3"):
        run_with_stdin(tool("import sys; sys.exit(3)"), io.BytesIO(rows), interrupt=Interrupt())


def test_more_names_than_a_command_line_holds() -> None:
    command = Command(argv=["true", *["x" * 100_000] * 30], env={}, failure=failure)
    with pytest.raises(SourceRefusedError, match="more names of tables"):
        run_for_output(command, interrupt=Interrupt())
