"""Keeping the last messages of a running tool."""

import os
import subprocess
import threading

_STDERR_KEPT = 16 << 10
# A process that the tool started may hold the pipe open longer than the tool lives.
_WAIT_SECONDS = 5.0


class StderrTail:
    """The end of a tool's stderr, drained all the time: a full pipe would stop the tool."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stderr is not None
        self._stream = process.stderr
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was kept, once the tool has ended."""
        self._thread.join(_WAIT_SECONDS)
        return bytes(self._kept).decode("utf-8", "replace").strip()

    def _drain(self) -> None:
        while data := os.read(self._stream.fileno(), 4096):
            self._kept += data
            del self._kept[:-_STDERR_KEPT]
        self._stream.close()
