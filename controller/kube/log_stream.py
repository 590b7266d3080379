"""A container's log as kubectl streams it."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from controller.kube.client import UnavailableError
from controller.kube.kubectl_errors import error_of


class LogStream:
    """The lines of a container's log while they come; `close` ends it from any thread.

    Iterating raises KubeError where the log broke off or could not be opened.
    """

    def __init__(self, call: str, command: Sequence[str]) -> None:
        self._call = call
        self._closed = self._read = False
        # Bounded by nothing else, and read only once the process has ended.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  it outlives this call
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said
            )
        except OSError as error:
            self._said.close()
            raise UnavailableError(f"kubectl cannot be run: {error.strerror}") from error

    def __iter__(self) -> Iterator[str]:
        """Yield each line without its end."""
        self._read = True
        assert self._process.stdout is not None
        with self._said, self._process.stdout as stdout:
            for line in stdout:
                yield line.decode(errors="replace").rstrip("\r\n")
            code = self._process.wait()
            if code and not self._closed:
                self._said.seek(0)
                raise error_of(self._call, self._said.read().decode(errors="replace"))

    def close(self) -> None:
        """End the stream, from whichever thread."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()
        if not self._read and self._process.stdout:
            self._process.stdout.close()
            self._said.close()
