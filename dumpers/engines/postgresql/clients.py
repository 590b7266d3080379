"""Which of the image's PostgreSQL clients talks to which server."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tool import Command, output

_NAME = "pg_dump"
_VERSION = re.compile(r"\s(\d+)(?:\.\d+|devel|beta\d+|rc\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of one version in one folder; `version` is what pg_dump says of itself."""

    folder: Path
    major: int
    version: str


def find(interrupt: Interrupt) -> Mapping[int, Clients]:
    """The clients along PATH by their major version; of several the first counts."""
    found: dict[int, Clients] = {}
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which(_NAME, path=folder) if folder else None
        if program:
            clients = _clients(program, interrupt)
            found.setdefault(clients.major, clients)
    if not found:
        raise SourceRefusedError(f"{_NAME} is not in this image: use PostgreSQL's dumper image")
    return found


def choose(found: Mapping[int, Clients], *, server: int, text: str) -> Clients:
    """The clients for a server: of its own major version, else the newest, if that knows it.

    pg_dump reads older servers, and refuses newer ones.
    """
    clients = found.get(server, found[max(found)])
    if clients.major < server:
        raise SourceRefusedError(
            f"the server is PostgreSQL {text}, newer than this image's clients (up to "
            f"{clients.major}): use a newer dumper image"
        )
    return clients


def _clients(program: str, interrupt: Interrupt) -> Clients:
    def failure(status: int, said: str) -> SourceFailedError:
        return SourceFailedError(f"{program} --version ended with status {status}: {said}")

    command = Command(argv=[program, "--version"], env={"LC_ALL": "C"}, failure=failure)
    said = output(command, interrupt=interrupt)
    version = _VERSION.search(said)
    if version is None:
        raise SourceFailedError(f"{program} does not say its version: {said[:200]!r}")
    return Clients(folder=Path(program).parent, major=int(version[1]), version=said)
