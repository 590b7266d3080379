"""Debian's PgBouncer before a PostgreSQL server, which clients take for that server."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.toolchain import packages, processes, scratch

_NOBODY = 65534


@contextmanager
def start(server: PostgresServer, *, mode: str, in_turns: bool = False) -> Iterator[int]:
    """The port of a pooler that gives sessions of a server by `mode`: session or transaction.

    With `in_turns` it gives the one that has been idle for longest, else the last one used.
    """
    files, library = (packages.unpacked(name) for name in ("pgbouncer", "libc-ares2"))
    folder = scratch.make("pgbouncer")
    uid = _NOBODY if os.geteuid() == 0 else None
    program = scratch.reachable(files, folder, uid) / "usr/sbin/pgbouncer"
    [found] = library.glob("usr/lib/*/libcares.so.2")
    (folder / "lib").mkdir()
    shutil.copy2(found, folder / "lib")
    port = processes.free_port()
    (folder / "users").write_text(f'"{server.user}" "{server.password}"\n')
    (folder / "config").write_text(
        "[databases]\n"
        f"* = host={server.host} port={server.port}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\npool_mode = {mode}\n"
        "ignore_startup_parameters = extra_float_digits\n"
        f"server_round_robin = {int(in_turns)}\n"
    )
    for path in folder.iterdir():
        if uid is not None and path.is_file():
            os.chown(path, uid, uid)
    running = processes.start(
        "pgbouncer",
        [program, folder / "config"],
        log=folder / "log",
        ready=lambda: processes.listens(port),
        env={"LD_LIBRARY_PATH": str(folder / "lib")},
        uid=uid,
    )
    try:
        yield port
    finally:
        running.stop()
        scratch.remove(folder)
