"""A psql that stays logged in: it answers, and reads out what a script of ours asks for."""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.names import in_encoding
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BufferedReader, Reader
from dumpers.streams.tools.tool import ToolReader

_PSQL = (
    *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
    *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-"),
)


class Conversation(ToolReader):
    """One session of the server, for one script at a time; a context manager, which ends it.

    A statement that fails ends the session, and whoever reads raises the error of its command.
    """

    stdin = subprocess.PIPE

    def __init__(self, session: Session, interrupt: Interrupt) -> None:
        command = session.command("psql", _PSQL)
        super().__init__(command, proof=lambda _head, _tail: None, interrupt=interrupt)
        self._pending = memoryview(b"")

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._process.stdin is not None
        self._input = self._process.stdin
        os.set_blocking(self._input.fileno(), False)
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        # What was never read by a psql that is gone need not be written.
        with contextlib.suppress(BrokenPipeError):
            self._input.close()

    def ask(self, script: str, interrupt: Interrupt, *, encoding: str = "UTF8") -> str:
        """What a script prints, as UTF-8 without its last line end; no UTF-8 is surrogates.

        `encoding` is the one that the server takes the script in.
        """
        with self.read_out(in_encoding(script, encoding), interrupt) as reader:
            said = b"".join(iter(reader.read, b""))
        return said.decode("utf-8", "surrogateescape").removesuffix("\n")

    @contextmanager
    def read_out(self, script: bytes, interrupt: Interrupt) -> Iterator[Reader]:
        """A reader of what a script prints, which ends once its last statement has succeeded."""
        self._interrupt = interrupt
        # No row can hold what the database never saw.
        mark = secrets.token_hex(16)
        self._pending = memoryview(script + f"\nSELECT '{mark}';\n".encode())
        yield _Said(self, f"{mark}\n".encode())

    def finish(self) -> None:
        """Log out in good order; raises what `ToolReader.read` raises."""
        self._input.close()
        while self.read():
            pass

    def next_block(self) -> bytes:
        """The next bytes that psql prints; its end is an error."""
        while self._pending:
            output, descriptor = self._descriptor, self._input.fileno()
            if self._interrupt.wait_first(readable=output, writable=descriptor) == output:
                break
            try:
                with contextlib.suppress(BlockingIOError):
                    self._pending = self._pending[os.write(descriptor, self._pending) :]
            except BrokenPipeError:
                # Its exit status has the reason.
                break
        data = self.read()
        if not data:
            raise self._command.errors.failed(
                f"{self._command.tool} ended before it had answered: was it told to?"
            )
        return data


class _Said(BufferedReader):
    """What is printed up to the mark, behind which nothing is printed until there is more to do."""

    def __init__(self, conversation: Conversation, mark: bytes) -> None:
        super().__init__()
        self._conversation = conversation
        self._mark = mark
        self._held = b""
        self._is_over = False

    def next_block(self) -> bytes:
        """Return the next bytes, nothing behind the mark; the conversation's errors propagate."""
        while not self._is_over:
            self._held += self._conversation.next_block()
            self._is_over = self._held.endswith(self._mark)
            # The last bytes may be the beginning of the mark.
            sure = len(self._held) - len(self._mark)
            if sure > 0:
                data, self._held = self._held[:sure], self._held[sure:]
                return data
        return b""
