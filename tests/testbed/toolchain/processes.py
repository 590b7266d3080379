"""Server processes: own log, readiness by a polled probe, and no survivor of the test run."""

import collections
import concurrent.futures
import contextlib
import functools
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_POLL = 0.05
_handed_out: collections.deque[int] = collections.deque(maxlen=256)
_handed_out_lock = threading.Lock()


class NotReadyError(RuntimeError):
    """A server ended early or was not ready in time; carries the last lines of its log."""


def free_port() -> int:
    """A loopback TCP port nobody listens on, not given out before by this process."""
    with _handed_out_lock:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in _handed_out:
                _handed_out.append(port)
                return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a TCP connection is accepted."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(probe: Callable[[], object], *, seconds: float, what: str) -> None:
    """Returns once the probe is true; TimeoutError with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_POLL)


def peak_mib(process: subprocess.Popen[Any]) -> int:
    """Waits until the process ends; the most memory that it had, in MiB."""
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        # Of a process that has ended, nothing is said.
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
            peak = max(peak, int(found[1]) >> 10 if found else 0)
        time.sleep(_POLL)
    return peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A started process and its log file."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def pid(self) -> int:
        return self.process.pid

    def running(self) -> bool:
        return self.process.poll() is None

    def tail(self, lines: int = 25) -> str:
        """The last lines of the log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return "(no log)"

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        if self.running():
            self.process.kill()
        self.process.wait()

    def stop(self, *, seconds: float = 10, how: signal.Signals = signal.SIGTERM) -> None:
        """Asks the process to end and kills it when it has not by the deadline."""
        if self.running():
            self.process.send_signal(how)
            try:
                self.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], object] = lambda: True,
    seconds: float = 30,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    uid: int | None = None,
) -> Server:
    """Starts a server and returns once `ready` says so.

    `env` is added to this process's environment; `uid` is who the server runs as (root only).
    Raises NotReadyError, with the process gone, when it ends early or the deadline passes.
    """
    with log.open("ab") as sink:
        process = _starter().submit(_spawn, command, sink.fileno(), env, cwd, uid).result()
    server = Server(name=name, log=log, process=process)
    try:
        _await(server, ready, seconds)
    except BaseException:
        server.kill()
        raise
    return server


def run(command: Sequence[str | Path], *, uid: int | None = None) -> str:
    """What a command printed, once it ended well; RuntimeError with its last words."""
    done = subprocess.run(
        command,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {said[-2000:]}")
    return said


def _await(server: Server, ready: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if not server.running():
            raise NotReadyError(
                f"{server.name} ended with {server.process.returncode} before it was ready:\n"
                f"{server.tail()}"
            )
        if time.monotonic() > deadline:
            raise NotReadyError(f"{server.name} not ready in {seconds:g} s:\n{server.tail()}")
        time.sleep(_POLL)


@functools.cache
def _starter() -> concurrent.futures.ThreadPoolExecutor:
    """A thread that lives as long as this interpreter.

    PR_SET_PDEATHSIG looks at the starting *thread*: a test's own thread must not take the
    servers down when it ends.
    """
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="starter")


def _spawn(
    command: Sequence[str | Path],
    sink: int,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    uid: int | None,
) -> subprocess.Popen[bytes]:
    # setpriv (util-linux) and not preexec_fn: Python may deadlock, and warns, when it runs code
    # between fork and exec of a process with threads.
    wrapper = ["setpriv", "--pdeathsig", "KILL"]
    if uid is not None:
        wrapper += ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return subprocess.Popen(
        [*wrapper, "--", *(str(part) for part in command)],
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        start_new_session=True,
    )


def signal_quietly(pid: int, number: signal.Signals) -> None:
    """Sends a signal; a process that is gone already is as good."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
