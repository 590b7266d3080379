"""Restores in a process of their own, which is killed at a moment that can be told again."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.protocol import StoredDump
from tests.paths import REPOSITORY
from tests.testbed.toolchain.processes import wait_until

# Restores, and dies as soon as the tool of this number runs, alone or together with that tool; or
# as soon as so many bytes of the backup were handed on.
_RESTORE = """
import contextlib, importlib, json, os, signal, sys
from pathlib import Path
from dumpers.contract.restore.request import RestoreRequest
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams import tool
from dumpers.contract.connection import Connection
from dumpers.engines.protocol import StoredDump

given = json.loads(sys.argv[1])
begin, count = tool._start, 0

def start(*args, **options):
    global count
    count += 1
    process = begin(*args, **options)
    if count == given["moment"]:
        if given["with_tool"]:
            os.killpg(process.pid, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    return process

class Ending:
    # A dump of which only a part is ever read.

    def __init__(self, dump):
        self.dump, self.left = dump, given["most_bytes"]

    def read(self, size):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        data = self.dump.read(min(size, self.left))
        self.left -= len(data)
        return data

@contextlib.contextmanager
def opened():
    with dump.open("rb") as file:
        yield file if given["most_bytes"] is None else Ending(file)

tool._start = start
engine = importlib.import_module(f"dumpers.engines.{given['engine']}.engine").ENGINE
target, dump = Connection(**given["connection"]), Path(given["dump"])
piece = StoredDump(name=target.database, ending=".sql", size=1, open=opened)
engine.restore(target, [piece], Interrupt(), RestoreRequest.from_json(given["request"]))
"""


def restore_killed(
    engine: str,
    target: Connection,
    backup: StoredDump,
    request: RestoreRequest,
    *,
    folder: Path,
    moment: int = 0,
    most_bytes: int | None = None,
) -> None:
    """Restore, and die when the tool of this number begins; an odd one dies with its tool.

    Or, without a moment, after `most_bytes` of the backup; the tool that loads them goes on.
    """
    dump = folder / "dump"
    with backup.open() as reader:
        dump.write_bytes(b"".join(iter(reader.read, b"")))
    fields = ("host", "port", "username", "password", "database")
    given = {
        "engine": engine,
        "moment": moment,
        "most_bytes": most_bytes,
        "with_tool": bool(moment % 2),
        "dump": str(dump),
        "request": request.to_json(),
        "connection": {name: getattr(target, name) for name in fields},
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _RESTORE, json.dumps(given)],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    process.wait()
    # What goes on alone may not even have logged in yet.
    wait_until(lambda: not _of_session(process.pid), seconds=120, what="its tools to end")


def _of_session(session: int) -> list[str]:
    """The processes of a session; one that has ended and that nobody has asked after is none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
            if state != "Z" and int(of) == session:
                found.append(stat.parent.name)
    return found
