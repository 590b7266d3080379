"""Running a database's own tool: arguments without secrets, output as a stream that cannot lie.

The reader of a dump tool returns end-of-file only after the tool exited 0 and its output was seen
to end as it must. Whoever consumes the stream can therefore not take a broken dump for a short one.
"""

import contextlib
import errno
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from dumpers.runtime.errors import DUMP_ERRORS, ErrorClasses, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.runtime.masking import mask
from dumpers.streams.reader import Reader
from dumpers.streams.tools.pipes import PIPE_BYTES, let_fill, widen_pipe
from dumpers.streams.tools.tool_messages import ToolMessages, summarise

_LOG = logging.getLogger(__name__)

WRITE_BYTES = 1 << 17
_TAIL_SIZE = 1 << 10
_KILL_AFTER_SECONDS = 5.0
_SHORT_OPTION = len("-x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A tool to run, with `env` and PATH as all its environment.

    `secrets` are masked in the tool's messages, where `known` names, such as that of the database,
    may be shown. `failure` turns its exit status (negative: killed by that signal) and what it said
    on stderr, the first error first, into the error to raise. Where the tool cannot be started, or
    is killed, the error is one of `errors`.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    known: Sequence[str] = ()
    failure: Callable[[int, str], KsnapshotError]
    errors: ErrorClasses = DUMP_ERRORS

    @property
    def tool(self) -> str:
        """Name of the program."""
        return os.path.basename(self.argv[0])  # noqa: PTH119  a string, not a path on this disk


# Checks the first and the last KiB of a tool's output: None if they are as they must be, else the
# fault in words.
EndProof = Callable[[bytes, bytes], str | None]


class ToolReader:
    """The standard output of a running tool. A context manager: leaving it ends the tool.

    `complaint` is what a tool that succeeded said on stderr, masked, once its end was read.
    """

    stdin = subprocess.DEVNULL

    def __init__(self, command: Command, *, proof: EndProof, interrupt: Interrupt) -> None:
        self._command = command
        self._proof = proof
        self._interrupt = interrupt
        self._head = b""
        self._tail = b""
        self._ended = False
        self.complaint = ""

    def __enter__(self) -> Self:
        self._process = _start(self._command, stdin=self.stdin, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._descriptor = self._process.stdout.fileno()
        self._is_wide = widen_pipe(self._descriptor)
        self._said = ToolMessages(self._process)
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)
        self._said.text()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, as soon as there are some; b"" is the proven end.

        Raises the error that the command's `failure` makes, one of its `errors` when the output's
        end is not as it must be, InterruptedRunError.
        """
        if self._ended:
            return b""
        wanted = PIPE_BYTES if size < 0 else min(size, PIPE_BYTES)
        self._interrupt.wait_readable(self._descriptor)
        # The beginning is not waited for: some tools only answer, with little.
        if self._is_wide and len(self._head) == _TAIL_SIZE:
            let_fill(self._descriptor, wanted)
        data = os.read(self._descriptor, wanted)
        if data:
            if len(self._head) < _TAIL_SIZE:
                self._head = (self._head + data[:_TAIL_SIZE])[:_TAIL_SIZE]
            self._tail = (self._tail + data[-_TAIL_SIZE:])[-_TAIL_SIZE:]
            return data
        self._prove_end()
        self._ended = True
        return b""

    def _prove_end(self) -> None:
        said = self._said.text()
        _check_end(self._command, _wait(self._process, self._interrupt), said)
        self.complaint = mask(said, self._command.secrets)
        fault = self._proof(self._head, self._tail)
        if fault is not None:
            raise self._command.errors.failed(
                f"{self._command.tool} exited 0, but its output is not a whole dump: {fault}"
            )


def run_with_stdin(command: Command, source: Reader, *, interrupt: Interrupt) -> None:
    """Run a tool on all of `source` as its standard input, and return when it exited 0.

    Where the source raises, the tool is killed before it can see an end, so that it never commits
    its transaction. Raises the source's errors, the error that the command's `failure` makes,
    InterruptedRunError.
    """
    process = _start(command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    descriptor, said = process.stdin.fileno(), ToolMessages(process)
    widen_pipe(descriptor)
    os.set_blocking(descriptor, False)
    whole = False
    try:
        # The exit status of a tool that ends early has the reason.
        with contextlib.suppress(BrokenPipeError):
            while data := memoryview(source.read(WRITE_BYTES)):
                while data:
                    interrupt.wait_writable(descriptor)
                    with contextlib.suppress(BlockingIOError):
                        data = data[os.write(descriptor, data) :]
            whole = True
        process.stdin.close()
        _check_end(command, _wait(process, interrupt), said.text())
        if not whole:
            raise command.errors.failed(
                f"{command.tool} exited 0 before it had read everything: what it was given is not "
                "proved whole, and not loaded whole"
            )
    finally:
        _end(process)
        said.text()
        process.stdin.close()


def run_for_output(command: Command, *, interrupt: Interrupt, errors: str = "replace") -> str:
    """Run a tool that answers briefly and return its standard output, stripped.

    `errors` is what becomes of bytes that are no UTF-8, as in bytes.decode. Raises as
    `ToolReader.read`; the output is not checked.
    """
    chunks: list[bytes] = []
    with ToolReader(command, proof=lambda _head, _tail: None, interrupt=interrupt) as reader:
        while data := reader.read():
            chunks.append(data)
    return b"".join(chunks).decode("utf-8", errors).strip()


def _start(
    command: Command, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> "subprocess.Popen[bytes]":
    _LOG.debug("tool starts", extra=fields(tool=command.tool, options=_option_names(command.argv)))
    try:
        return subprocess.Popen(
            command.argv,
            env={"PATH": os.environ.get("PATH", os.defpath), **command.env},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            # Its own process group, so that ending the tool ends what it started, and a signal
            # meant for us lets us end it in good order.
            process_group=0,
        )
    except FileNotFoundError as error:
        raise command.errors.refused(
            f"{command.tool} is not in this image: use the dumper image of this engine"
        ) from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.E2BIG:
            raise command.errors.refused(
                f"{command.tool} would be told more names of tables than a command line may hold: "
                "choose fewer, or all"
            ) from error
        raise command.errors.failed(f"{command.tool} could not be started: {error}") from error


def _option_names(argv: Sequence[str]) -> list[str]:
    """The options among a tool's arguments by their names alone: a value may be that of a row."""
    options = (word for word in argv[1:] if word.startswith("-"))
    return [
        word.partition("=")[0] if word.startswith("--") else word[:_SHORT_OPTION]
        for word in options
    ]


def _wait(process: "subprocess.Popen[bytes]", interrupt: Interrupt) -> int:
    def attempt(timeout: float) -> int:
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error

    return interrupt.wait(attempt)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        # To the group, even when the tool itself is gone: what it started may still hold the pipe.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_KILL_AFTER_SECONDS)
            return


def _check_end(command: Command, status: int, said: str) -> None:
    if status != 0:
        raise _failure(command, status, said)
    if said:
        complaint = fields(said=mask(said, command.secrets, known=command.known))
        _LOG.warning("the tool succeeded and complained", extra=complaint)


def _failure(command: Command, status: int, said: str) -> KsnapshotError:
    if status == -signal.SIGKILL:
        return command.errors.failed(
            f"{command.tool} was killed (SIGKILL), probably out of memory: raise the job's memory "
            "limit"
        )
    # Masked only after `failure` saw the text: a password may be a word of the tool's message.
    error = command.failure(status, summarise(said))
    return type(error)(mask(str(error), command.secrets, known=command.known))
