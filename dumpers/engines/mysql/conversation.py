"""One client that stays logged in and answers statement after statement.

A login with TLS costs a server and its client more than most answers do.
"""

import contextlib
import os
import secrets
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools.tool import Command, ToolReader


class Conversation:
    """Asks through one client at a time; a context manager, which ends that client.

    `make` makes the command of a client in a database, or in none. Who asks about another database
    gets another client, and so does who asks after an error, which ends the client.
    """

    def __init__(
        self, make: Callable[[str], Command], *, database: str, interrupt: Interrupt
    ) -> None:
        self._make = make
        self._database = database
        self._interrupt = interrupt
        self._client: _Client | None = None
        self._running = ExitStack()
        self.is_over = False
        self.has_answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over = True
        with self._running:
            if self._client is not None and error[0] is None:
                self._client.finish()

    def ask(self, sql: str, *, database: str = "") -> list[str]:
        """Return the lines that answer one statement, the names of its columns first if any.

        Without a database, the statement runs in whichever is there. Raises the error that the
        client's command makes, SourceFailedError, InterruptedRunError.
        """
        if self._client is None or database not in {"", self._database}:
            self._change(database or self._database)
        assert self._client is not None
        try:
            answer = self._client.ask(sql)
        except KsnapshotError:
            self._client = None
            self._running.close()
            raise
        self.has_answered = True
        return answer

    def _change(self, database: str) -> None:
        if self._client is not None:
            self._client.finish()
            self._client = None
        self._running.close()
        self._database = database
        client = _Client(self._make(database), interrupt=self._interrupt)
        self._client = self._running.enter_context(client)


class _Client(ToolReader):
    stdin = subprocess.PIPE

    def __init__(self, command: Command, *, interrupt: Interrupt) -> None:
        super().__init__(command, proof=lambda _head, _tail: None, interrupt=interrupt)
        # Answers the statement behind each other one, so that its answer has an end.
        self._mark = secrets.token_hex(16)

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        assert self._process.stdin is not None
        self._process.stdin.close()

    def ask(self, sql: str) -> list[str]:
        # The client answers a statement once it has read it whole, so neither waits for the other.
        self._write(f"{sql}\n;\nSELECT '{self._mark}' AS `{self._mark}`;\n".encode())
        end = f"{self._mark}\n{self._mark}\n".encode()
        answer = bytearray()
        while not answer.endswith(end):
            data = self.read()
            if not data:
                raise self._command.errors.failed(
                    f"{self._command.tool} ended before it had answered: was it told to?"
                )
            answer += data
        return answer[: -len(end)].decode("utf-8", "replace").split("\n")[:-1]

    def finish(self) -> None:
        """Let the client end by itself; raises what `ToolReader.read` raises."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        while self.read():
            pass

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        descriptor, left = self._process.stdin.fileno(), memoryview(data)
        # A client that has ended says by its status why.
        with contextlib.suppress(BrokenPipeError):
            while left:
                self._interrupt.wait_writable(descriptor)
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(descriptor, left) :]
