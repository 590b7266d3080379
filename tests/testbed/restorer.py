"""A restore as its pod runs it: the reader and the client, two processes with a folder between."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dumpers.contract.restore.result import BackupResult, RestoreResult
from tests.paths import REPOSITORY
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper

# Of the variables of a dump's job those that a reader must not have, and a client needs.
_LOGIN = ("POSTGRESQL_",)
_CLIENT = (sys.executable, "-m", "dumpers", "load")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """How one of the two containers ended."""

    exit_code: int
    result: RestoreResult
    log: str

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Fields of the log lines with this message."""
        parsed = [json.loads(line) for line in self.log.splitlines()]
        return [line for line in parsed if line["message"] == message]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """How a restore ended."""

    reader: Side
    client: Side

    @property
    def result(self) -> RestoreResult:
        """That of the Job."""
        return self.reader.result

    @property
    def logs(self) -> str:
        """For the message of an assertion."""
        return f"{self.reader.log}\n---\n{self.client.log}"


@dataclass(kw_only=True)
class Restorer:
    """A restore that has been set up; both environments may be changed."""

    reader_env: dict[str, str]
    client_env: dict[str, str]
    folder: Path
    processes: "dict[str, subprocess.Popen[str]]" = field(default_factory=dict)

    @classmethod
    def of(cls, dumper: Dumper, *, database: str, identity: str = "") -> "Restorer":
        """Restore what the dumper dumped into this database, with the text of an identity file."""
        # The path of a socket holds 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="ks-"))
        exchange = {"KSNAPSHOT_EXCHANGE": str(folder)}
        is_login = {name: name.startswith(_LOGIN) for name in dumper.env}
        reader = {name: value for name, value in dumper.env.items() if not is_login[name]}
        client = {
            name: value for name, value in dumper.env.items() if not name.startswith("BACKEND_")
        }
        if identity:
            (folder / "key.txt").write_text(identity)
            reader["KSNAPSHOT_IDENTITY_FILE"] = str(folder / "key.txt")
        return cls(
            reader_env=reader | exchange,
            client_env=client | exchange | {"POSTGRESQL_DATABASE": database},
            folder=folder,
        )

    def start(self, side: str, **changes: str) -> "subprocess.Popen[str]":
        """Start the `reader` or the `client`."""
        env = self.reader_env if side == "reader" else self.client_env
        command = _CLIENT if side == "client" else (sys.executable, "-m", "dumpers", "restore")
        log = {"KSNAPSHOT_TERMINATION_LOG": str(self.folder / f"{side}-termination")}
        self.processes[side] = _start(command, env | log | changes, self.folder / f"{side}-log")
        return self.processes[side]

    def wait(self) -> Restored:
        """Wait for the ends of both."""
        for process in self.processes.values():
            process.wait(PATIENCE_SECONDS)
        return Restored(reader=self._side("reader"), client=self._side("client"))

    def run(self, **changes: str) -> Restored:
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

    def _side(self, side: str) -> Side:
        code = self.processes[side].returncode
        written = self.folder / f"{side}-termination"
        result = RestoreResult(succeeded=False, exit_code=code, reason="", message="")
        if written.exists():
            result = RestoreResult.from_json(written.read_text())
        return Side(exit_code=code, result=result, log=(self.folder / f"{side}-log").read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How a job ended that lists, verifies or pins."""

    exit_code: int
    result: BackupResult
    documents: Sequence[Mapping[str, Any]]
    log: str


def look(dumper: Dumper, verb: str, **changes: str) -> Looked:
    """Run another verb of the dumper for the same CronJob."""
    written = dumper.folder / f"{verb}-termination"
    env = {**dumper.env, "KSNAPSHOT_TERMINATION_LOG": str(written), **changes}
    done = subprocess.run(
        [sys.executable, "-m", "dumpers", verb],
        cwd=REPOSITORY,
        env={name: value for name, value in env.items() if value},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return Looked(
        exit_code=done.returncode,
        result=BackupResult.from_json(written.read_text()),
        documents=[json.loads(line) for line in done.stdout.splitlines()],
        log=done.stderr,
    )


def _start(command: Sequence[str], env: Mapping[str, str], log: Path) -> "subprocess.Popen[str]":
    with log.open("w") as target:
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={name: value for name, value in env.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=target,
            text=True,
        )
