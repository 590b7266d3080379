"""Which types msgspec meets for the first time while some code runs, in a process of its own.

Two threads that do that together crash their process, so what threads use must have been met
before; a process that ran other tests has met everything.
"""

import json
import subprocess
import sys

from tests.paths import REPOSITORY

_PROGRAM = """
import json, sys
from msgspec import _utils
exec(sys.argv[1])
met = []
def note(frame, event, arg):
    if event == "call" and frame.f_code.co_filename == _utils.__file__:
        met.append(str(frame.f_locals.get("obj") or frame.f_code.co_name))
sys.setprofile(note)
exec(sys.argv[2])
sys.setprofile(None)
print(json.dumps(met))
"""


def first_meetings(before: str, code: str) -> list[str]:
    """The types that are met by `code`, which runs behind `before`; functions of msgspec else."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, before, code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found
