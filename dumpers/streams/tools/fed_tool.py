"""A running tool that makes one stream of another: it is fed while its output is read."""

import contextlib
import os
import subprocess
from typing import Self

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.pipes import widen_pipe
from dumpers.streams.tools.tool import WRITE_BYTES, Command, EndProof, ToolReader


class FedToolReader(ToolReader):
    """The output of a tool for all of `source`, proven only where the source's end is, too.

    Where the source raises, so does `read`, and the tool is killed before it can see an end.
    """

    stdin = subprocess.PIPE

    def __init__(
        self, command: Command, source: Reader, *, proof: EndProof, interrupt: Interrupt
    ) -> None:
        super().__init__(command, proof=proof, interrupt=interrupt)
        self._source = source
        self._pending = memoryview(b"")
        self._is_fed = False

    def __enter__(self) -> Self:
        super().__enter__()
        assert self._process.stdin is not None
        self._input = self._process.stdin
        widen_pipe(self._input.fileno())
        os.set_blocking(self._input.fileno(), False)
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._input.close()

    def read(self, size: int = -1, /) -> bytes:
        """Return what the tool has written, see `ToolReader.read`; the source's errors propagate.

        A tool may succeed without all of its input: the rest is read for its proof alone.
        """
        while not self._is_fed:
            first = self._interrupt.wait_first(
                readable=self._descriptor, writable=self._input.fileno()
            )
            if first == self._descriptor:
                break
            self._feed()
        data = super().read(size)
        if not data:
            while self._source.read(WRITE_BYTES):
                pass
        return data

    def _feed(self) -> None:
        if not self._pending:
            self._pending = memoryview(self._source.read(WRITE_BYTES))
        if not self._pending:
            self._input.close()
            self._is_fed = True
            return
        try:
            with contextlib.suppress(BlockingIOError):
                self._pending = self._pending[os.write(self._input.fileno(), self._pending) :]
        except BrokenPipeError:
            # Its exit status has the reason.
            self._is_fed = True
