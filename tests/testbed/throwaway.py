"""A drill's throwaway server as its container runs it: by the engine's script, as another user."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dumpers.contract.drill.server import DRILL_FOLDER, ThrowawayServer
from tests.testbed.toolchain import processes, scratch

_NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Throwaway:
    """A server that the script has made; a context manager."""

    port: int
    server: processes.Server
    folder: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop(seconds=60)
        scratch.remove(self.folder)


def start(
    throwaway: ThrowawayServer,
    *,
    port: int,
    installation: Path,
    bins: Sequence[str] = (),
    wrapped: Callable[[Path], Mapping[str, str]] = lambda _: {},
    changes: Mapping[str, str] | None = None,
) -> Throwaway:
    """Run the script with these folders of an installation first in PATH; returns at once.

    `wrapped` are programs that take a command line of their own to run from there, by their names.
    The folder, the default port `port` and what is in `changes` are other ones than in a pod, where
    nobody else has them.
    """
    folder = scratch.make("drill")
    uid = _NOBODY if os.geteuid() == 0 else None
    own = folder / "drill"
    own.mkdir(mode=0o700)
    if uid is not None:
        os.chown(own, uid, uid)
    free = processes.free_port()
    script = throwaway.script
    for word, other in {
        f"{DRILL_FOLDER}/": f"{own}/",
        f"port={port}": f"port={free}",
        **(changes or {}),
    }.items():
        assert word in script, word
        script = script.replace(word, other)
    root = scratch.reachable(installation, folder, uid)
    wrappers = folder / "bin"
    wrappers.mkdir(mode=0o755)
    for name, words in wrapped(root).items():
        (wrappers / name).write_text(f"#!/bin/sh\nexec {words}\n")
        (wrappers / name).chmod(0o755)
    reachable = [str(wrappers), *(str(root / item) for item in bins)]
    server = processes.start(
        "throwaway",
        ["/bin/sh", "-c", script],
        log=folder / "log",
        env={"PATH": ":".join((*reachable, "/usr/bin:/bin")), **throwaway.environment},
        uid=uid,
        cwd=Path("/"),
    )
    return Throwaway(port=free, server=server, folder=folder)
