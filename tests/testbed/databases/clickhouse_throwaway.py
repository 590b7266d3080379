"""The throwaway server of a drill, by its own script, with Debian's old ClickHouse as its image."""

import contextlib
import functools
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dumpers.contract.connection import Connection
from dumpers.contract.drill.server import DRILL_FOLDER
from dumpers.engines.clickhouse.throwaway import DRILL_SERVER
from tests.testbed.databases import clickhouse
from tests.testbed.databases.clickhouse_http import Login, ask, serves
from tests.testbed.toolchain import debian, processes, scratch

_NOBODY = 65534
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throwaway:
    """A running server; `folder` is what a drill's containers share."""

    folder: Path
    connection: Connection
    port: int

    def sql(self, text: str, **settings: str | int) -> str:
        """What one statement answers, columns apart by tabs; RuntimeError."""
        login = Login(user=DRILL_SERVER.user, password="")
        return ask(_HOST, self.port, login, text.encode(), parameters=settings)


@contextlib.contextmanager
def start_throwaway() -> Iterator[Throwaway]:
    """An empty server, as nobody, from the script with another folder and other ports."""
    home = scratch.make("drill-clickhouse")
    folder = home / "shared"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = scratch.reachable(clickhouse.installation(), home, uid)
    image = home / "bin"
    image.mkdir()
    words = shlex.join(map(str, debian.command(programs, clickhouse.SERVER)))
    (image / "clickhouse-server").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (image / "clickhouse-server").chmod(0o755)
    ports = {standard: processes.free_port() for standard in ("8123", "9000", "9009")}
    script = DRILL_SERVER.script.replace(f"folder={DRILL_FOLDER}", f"folder={folder}")
    for standard, free in ports.items():
        script = script.replace(f"{standard}<", f"{free}<")
    port = ports["8123"]
    server = processes.start(
        "drill-clickhouse",
        ["/bin/sh", "-c", script],
        log=home / "log",
        ready=functools.partial(serves, _HOST, port),
        seconds=120,
        uid=uid,
        env={"PATH": f"{image}:/usr/bin:/bin", **DRILL_SERVER.environment},
        cwd=Path("/"),
    )
    try:
        yield Throwaway(
            folder=folder,
            port=port,
            connection=Connection(
                host=_HOST,
                port=port,
                username=DRILL_SERVER.user,
                database=DRILL_SERVER.database,
            ),
        )
    finally:
        server.kill()
        scratch.remove(home)
