"""The processes of a pod as this host sees them: nobody in a container can kill its process 1."""

import contextlib
from collections.abc import Mapping
from pathlib import Path


def processes_of(pod: str) -> Mapping[str, int]:
    """The first process of each container, by the last word of its command without options.

    `dump`, `restore`, `load` of dumpers, else the program's name.
    """
    found: dict[str, int] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not folder.name.isdigit():
                continue
            environment = (folder / "environ").read_bytes().split(b"\0")
            if f"HOSTNAME={pod}".encode() not in environment:
                continue
            status = (folder / "status").read_text()
            [inside] = [line for line in status.splitlines() if line.startswith("NSpid:")]
            if inside.split()[-1] == "1":
                found[_name(folder)] = int(folder.name)
    return found


def _name(folder: Path) -> str:
    words = [word.decode() for word in (folder / "cmdline").read_bytes().split(b"\0") if word]
    if "dumpers" not in words:
        return (folder / "comm").read_text().strip()
    verbs = words[words.index("dumpers") + 1 :]
    return verbs[0] if verbs else "dump"
