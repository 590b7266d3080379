"""A command on a terminal of its own, with somebody who types a passphrase where that is wanted."""

import os
import pty
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ASKED = b"passphrase"


def run_in_terminal(
    command: str, *, env: Mapping[str, str], cwd: Path, passphrase: str
) -> tuple[int, str]:
    """Run a line of bash and return its exit code, and all that the terminal showed."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-o", "pipefail", "-c", command],
            env=env,
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown, answered = b"", 0
            while block := _read(ours):
                shown += block
                while shown.count(_ASKED) > answered and shown.rstrip().endswith(b":"):
                    answered = shown.count(_ASKED)
                    os.write(ours, f"{passphrase}\n".encode())
            return process.wait(), shown.decode(errors="replace")
    finally:
        os.close(ours)


def _read(descriptor: int) -> bytes:
    """What comes next; b"" once nobody has the terminal any more."""
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""
