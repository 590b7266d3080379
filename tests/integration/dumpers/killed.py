"""Restores in a process of their own, which is killed at a moment that can be told again.

`KSNAPSHOT_FAULTS=all` tries many moments, otherwise a few by `KSNAPSHOT_FAULT_SEED`.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.protocol import StoredDump
from tests.paths import REPOSITORY
from tests.testbed.toolchain.processes import wait_until

# Restores, and dies as soon as the tool of this number runs, alone or together with that tool, or
# at the HTTP request of this number, before it is sent or behind its answer; or as soon as so many
# bytes of an object of the backup were handed on.
_RESTORE = """
import contextlib, functools, importlib, json, os, signal, sys, urllib3
from pathlib import Path
from dumpers.contract.restore.request import RestoreRequest
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tools import tool
from dumpers.contract.connection import Connection
from dumpers.engines.protocol import StoredDump

given = json.loads(sys.argv[1])
begin, send, count = tool._start, urllib3.HTTPConnectionPool.urlopen, 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def start(*args, **options):
    global count
    count += 1
    process = begin(*args, **options)
    if count == given["moment"]:
        if given["is_odd"]:
            os.killpg(process.pid, signal.SIGKILL)
        die()
    return process

def ask(*args, **options):
    global count
    count += 1
    is_last = count == given["moment"]
    if is_last and not given["is_odd"]:
        die()
    answer = send(*args, **options)
    if is_last:
        die()
    return answer

class Ending:
    # A dump of which only a part is ever read.

    def __init__(self, dump):
        self.dump, self.left = dump, given["most_bytes"]

    def read(self, size=-1):
        if not self.left:
            die()
        if size < 0:
            size = self.left
        data = self.dump.read(min(size, self.left))
        self.left -= len(data)
        return data

@contextlib.contextmanager
def opened(file):
    with Path(file).open("rb") as file:
        yield file if given["most_bytes"] is None else Ending(file)

tool._start, urllib3.HTTPConnectionPool.urlopen = start, ask
engine = importlib.import_module(f"dumpers.engines.{given['engine']}.engine").ENGINE
pieces = [
    StoredDump(**{**piece, "part": tuple(piece["part"])}, open=functools.partial(opened, file))
    for file, piece in given["pieces"].items()
]
target, request = Connection(**given["connection"]), RestoreRequest.from_json(given["request"])
engine.restore(target, pieces, Interrupt(), request)
print(count)
"""


def restore_killed(
    engine: str,
    target: Connection,
    backup: Sequence[StoredDump],
    request: RestoreRequest,
    *,
    folder: Path,
    moment: int = 0,
    most_bytes: int | None = None,
) -> int:
    """Restore, and die when the tool or HTTP request of this number begins.

    An odd one dies with its tool, or behind its answer. Or, without a moment, after `most_bytes` of
    an object of the backup; the tool that loads them goes on. Returns the count of tools or
    requests where nothing of that came before the end, else 0.
    """
    pieces = {}
    for number, piece in enumerate(backup):
        file = folder / f"piece-{number}"
        with piece.open() as reader:
            file.write_bytes(b"".join(iter(reader.read, b"")))
        named = {"name": piece.name, "part": piece.part, "ending": piece.ending}
        pieces[str(file)] = named | {"size": piece.size, "metadata": dict(piece.metadata)}
    fields = ("host", "port", "username", "password", "database")
    given = {
        "engine": engine,
        "moment": moment,
        "most_bytes": most_bytes,
        "is_odd": bool(moment % 2),
        "pieces": pieces,
        "request": request.to_json(),
        "connection": {name: getattr(target, name) for name in fields},
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _RESTORE, json.dumps(given)],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    said, _ = process.communicate()
    # What goes on alone may not even have logged in yet.
    wait_until(lambda: not _of_session(process.pid), seconds=120, what="its tools to end")
    return int(said or 0)


def some_moments(count: int, few: int) -> list[int]:
    """Moments of a restore with so many tools or requests, spread, and always its last ones."""
    if os.environ.get("KSNAPSHOT_FAULTS") == "all":
        return list(range(1, count + 1))
    dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
    return sorted({*dice.sample(range(1, count), few), count})


def _of_session(session: int) -> list[str]:
    """The processes of a session; one that has ended and that nobody has asked after is none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of, *_ = stat.read_text().rpartition(")")[2].split()
            if state != "Z" and int(of) == session:
                found.append(stat.parent.name)
    return found
