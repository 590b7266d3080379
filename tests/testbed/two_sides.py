"""A job of two containers as its pod runs it: a reader and a client, with a folder between."""

import json
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tests.paths import REPOSITORY
from tests.testbed.dumper import PATIENCE_SECONDS

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side(Generic[Result]):
    """How one of the two containers ended."""

    exit_code: int
    result: Result
    log: str

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Fields of the log lines with this message."""
        parsed = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in parsed if line["message"] == message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Generic[Result]):
    """How both ended."""

    reader: Side[Result]
    client: Side[Result]

    @property
    def result(self) -> Result:
        """That of the Job."""
        return self.reader.result

    @property
    def logs(self) -> str:
        """For the message of an assertion."""
        return f"{self.result}\n{self.reader.log}\n---\n{self.client.log}"


@dataclass(kw_only=True)
class TwoSides(ABC, Generic[Result]):
    """A job that has been set up; both environments may be changed.

    `verbs` are those of the reader and of the client.
    """

    verbs: ClassVar[tuple[str, str]]
    reader_env: dict[str, str]
    client_env: dict[str, str]
    folder: Path
    processes: "dict[str, subprocess.Popen[str]]" = field(default_factory=dict)

    @staticmethod
    @abstractmethod
    def read_result(text: str, exit_code: int) -> Result:
        """Read a termination message; one that is empty stands for a failure without a word."""

    def start(self, side: str, **changes: str) -> "subprocess.Popen[str]":
        """Start the `reader` or the `client`; its environment has no empty variables."""
        own, verb = (
            (self.reader_env, self.verbs[0])
            if side == "reader"
            else (self.client_env, self.verbs[1])
        )
        log = {"KSNAPSHOT_TERMINATION_LOG": str(self.folder / f"{side}-termination")}
        env = own | log | changes
        with (self.folder / f"{side}-log").open("w") as target:
            self.processes[side] = subprocess.Popen(
                (sys.executable, "-m", "dumpers", verb),
                cwd=REPOSITORY,
                env={name: value for name, value in env.items() if value},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=target,
                text=True,
            )
        return self.processes[side]

    def wait(self) -> Ended[Result]:
        """Wait for the ends of both."""
        for process in self.processes.values():
            process.wait(PATIENCE_SECONDS)
        return Ended(reader=self._side("reader"), client=self._side("client"))

    def run(self, **changes: str) -> Ended[Result]:
        """Run both to their ends, as in a new pod; changes are the reader's."""
        for name in ("socket", "ended.json", "reader-termination", "client-termination"):
            (self.folder / name).unlink(missing_ok=True)
        self.start("reader", **changes)
        self.start("client")
        return self.wait()

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder)

    def _side(self, side: str) -> Side[Result]:
        code = self.processes[side].returncode
        written = self.folder / f"{side}-termination"
        text = written.read_text() if written.exists() else ""
        return Side(
            exit_code=code,
            result=self.read_result(text, code),
            log=(self.folder / f"{side}-log").read_text(),
        )
