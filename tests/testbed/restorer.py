"""A restore as its pod runs it: the reader and the client, two processes with a folder between."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dumpers.contract.restore.result import BackupResult, RestoreResult
from tests.paths import REPOSITORY
from tests.testbed.dumper import PATIENCE_SECONDS, Dumper
from tests.testbed.two_sides import Ended, TwoSides

# Of the variables of a dump's job those that a reader must not have, and a client needs.
_LOGIN = ("POSTGRESQL_",)


Restored = Ended[RestoreResult]


@dataclass(kw_only=True)
class Restorer(TwoSides[RestoreResult]):
    """A restore that has been set up; both environments may be changed."""

    verbs = ("restore", "load")

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

    @staticmethod
    def read_result(text: str, exit_code: int) -> RestoreResult:
        """See TwoSides."""
        if not text:
            return RestoreResult(succeeded=False, exit_code=exit_code, reason="", message="")
        return RestoreResult.from_json(text)


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
