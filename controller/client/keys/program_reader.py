"""A stream through a program, where the library that does the same is not installed."""

import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO, Self

from dumpers.runtime.errors import KsnapshotError
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

_MAX_SAID = 500


class ProgramReader(BufferedReader):
    """What a program makes of the bytes of `source`. A context manager.

    The program hands out bytes before it can notice that the end is missing, so the end is told
    only once it has ended well, and has had all of the source. `failure` makes the error of what it
    said otherwise. It inherits the `descriptors`, which may be closed once it was entered.
    """

    def __init__(
        self,
        command: Sequence[str],
        source: Reader,
        *,
        failure: Callable[[str], KsnapshotError],
        descriptors: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self._command = list(command)
        self._source = source
        self._failure = failure
        self._descriptors = descriptors
        self._source_error: BaseException | None = None

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            pass_fds=self._descriptors,
        )
        self._pump = threading.Thread(target=self._feed, name="program", daemon=True)
        self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._said.close()

    def next_block(self) -> bytes:
        """Return the next block; b"" once the program ended well."""
        assert self._process.stdout is not None
        block = os.read(self._process.stdout.fileno(), BLOCK_BYTES)
        if not block:
            self._check_end()
        return block

    def _check_end(self) -> None:
        code = self._process.wait()
        self._pump.join()
        if self._source_error is not None:
            raise self._source_error
        if code:
            self._said.seek(0)
            raise self._failure(self._said.read().decode(errors="replace"))

    def _feed(self) -> None:
        assert self._process.stdin is not None
        target: IO[bytes] = self._process.stdin
        try:
            while block := self._source.read():
                target.write(block)
            target.close()
        except (BrokenPipeError, ValueError):
            # The program has ended before: it says why.
            with contextlib.suppress(OSError):
                target.close()
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the reader's
            self._source_error = error
            self._process.kill()
            with contextlib.suppress(OSError):
                target.close()


def first_line(said: str) -> str:
    """The first line of what a program said."""
    return (said.strip().splitlines() or ["it said nothing"])[0][:_MAX_SAID]
