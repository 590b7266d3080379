"""A drill as its pod runs it: the reader and the client, two processes with a folder between."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dumpers.contract.drill.result import DrillResult
from dumpers.repository.added_records import Drill
from dumpers.repository.record_json import read_record
from tests.testbed.stores.s3 import S3Server
from tests.testbed.two_sides import Ended, TwoSides

# What a reader has of a dump's environment.
_READERS = ("BACKEND_", "KSNAPSHOT_CLUSTER", "KSNAPSHOT_CRONJOB", "KSNAPSHOT_WORKLOAD", "HOSTNAME")
_BOTH = ("PATH", "HOME", "TMPDIR")


Drilled = Ended[DrillResult]


@dataclass(kw_only=True)
class Driller(TwoSides[DrillResult]):
    """A drill that has been set up; both environments may be changed."""

    verbs = ("drill", "rehearse")

    @classmethod
    def of(cls, env: Mapping[str, str], *, engine: str, identity: str = "") -> "Driller":
        """Drill what a dump with this environment has stored; the server's port is to be added."""
        # The path of a socket holds 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="ks-"))
        both = {name: env[name] for name in _BOTH if name in env}
        both |= {"KSNAPSHOT_EXCHANGE": str(folder)}
        reader = {name: value for name, value in env.items() if name.startswith(_READERS)}
        if identity:
            (folder / "key.txt").write_text(identity)
            reader["KSNAPSHOT_IDENTITY_FILE"] = str(folder / "key.txt")
        return cls(
            reader_env=both | reader,
            client_env=both | {"KSNAPSHOT_ENGINE": engine},
            folder=folder,
        )

    @staticmethod
    def read_result(text: str, exit_code: int) -> DrillResult:
        """See TwoSides."""
        if not text:
            return DrillResult(succeeded=False, exit_code=exit_code, reason="", message="")
        return DrillResult.from_json(text)


def drill_records(s3: S3Server, bucket: str) -> list[tuple[str, Drill]]:
    """The records of all drills, with their names, the oldest first."""
    found = []
    for key in sorted(s3.objects(bucket), key=lambda key: key.rpartition("drill")[2]):
        name = key.rpartition("/")[2]
        if name.startswith(("drilled-", "drill-failed-")):
            record = read_record(s3.read(bucket, key))
            assert isinstance(record, Drill), record
            found.append((name, record))
    return found
