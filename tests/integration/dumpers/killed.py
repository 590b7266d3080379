"""Restores in a process of their own, which is killed at a moment that can be told again."""

import json
import os
import subprocess
import sys
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreRequest
from dumpers.engines.protocol import StoredDump
from tests.paths import REPOSITORY

# Restores, and dies as soon as the tool of this number runs: alone, or together with that tool.
_RESTORE = """
import importlib, json, os, signal, sys
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

tool._start = start
engine = importlib.import_module(f"dumpers.engines.{given['engine']}.engine").ENGINE
target, dump = Connection(**given["connection"]), Path(given["dump"])
piece = StoredDump(name=target.database, ending=".sql", size=1, open=lambda: dump.open("rb"))
engine.restore(target, [piece], Interrupt(), RestoreRequest.from_json(given["request"]))
"""


def restore_killed(
    engine: str,
    target: Connection,
    backup: StoredDump,
    request: RestoreRequest,
    *,
    moment: int,
    folder: Path,
) -> None:
    """Restore, and die when the tool of this number begins; an odd one dies with its tool."""
    dump = folder / "dump"
    with backup.open() as reader:
        dump.write_bytes(b"".join(iter(reader.read, b"")))
    fields = ("host", "port", "username", "password", "database")
    given = {
        "engine": engine,
        "moment": moment,
        "with_tool": bool(moment % 2),
        "dump": str(dump),
        "request": request.to_json(),
        "connection": {name: getattr(target, name) for name in fields},
    }
    subprocess.run(
        [sys.executable, "-c", _RESTORE, json.dumps(given)],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]},
        stderr=subprocess.DEVNULL,
        check=False,
    )
