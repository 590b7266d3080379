"""A live database of PostgreSQL that has changed since its backup, for restores over it."""

import io
import subprocess
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.postgresql.engine import ENGINE
from dumpers.engines.postgresql.options import CUSTOM_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.integration.dumpers.postgresql.worlds import connection, piece
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer

BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
OVERWRITE = RestoreRequest(mode=RestoreMode.OVERWRITE)
SWAP = RestoreRequest(mode=RestoreMode.SWAP)


@dataclass(kw_only=True)
class World:
    """A live database that has changed since its backup."""

    server: PostgresServer
    live: str
    backup: StoredDump
    before: str
    after: str

    def dump(self, database: str) -> str:
        """All of a database as pg_dump has it, but for its tokens."""
        found = self.server.run("pg_dump", database)
        return "\n".join(line for line in found.splitlines() if "restrict " not in line)

    def databases(self) -> set[str]:
        """Those of this test."""
        found = self.server.psql("SELECT datname FROM pg_database")
        return {name for name in found.splitlines() if name.startswith(self.live)}

    def restore(self, request: RestoreRequest, *pieces: StoredDump) -> tuple[tuple[str, str], ...]:
        target = connection(self.server, self.live)
        return ENGINE.restore(target, pieces or (self.backup,), Interrupt(), request).kept


def dumped(server: PostgresServer, database: str, form: str = "plain") -> StoredDump:
    data = subprocess.run(
        [postgres_testbed.client("pg_dump"), f"--format={form}"],
        env=server.env(database),
        capture_output=True,
        check=True,
    ).stdout
    ending = {"custom": CUSTOM_ENDING}.get(form, ".sql")
    metadata = {"owner": "postgres", "encoding": "UTF8", "extensions": {"plpgsql": "1.0"}}
    return piece(data, ending, name=database, metadata=metadata)


def torn(whole: StoredDump) -> StoredDump:
    """A piece whose end is not what the manifest says."""

    class Torn(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if data := super().read(size):
                return data
            raise StorageFailedError("its sha256 is another")

    with whole.open() as reader:
        data = reader.read()

    def open_() -> AbstractContextManager[Reader]:
        return nullcontext(Torn(data))

    return replace(whole, open=open_)
