"""A live database of MySQL that has changed since its backup, for restores over it."""

import io
import os
import subprocess
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.protocol import Restored, StoredDump
from dumpers.runtime.errors import StorageFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.integration.dumpers.mysql.conftest import Case, dump_parts, piece
from tests.integration.dumpers.mysql.worlds import fill
from tests.testbed.databases import mysql as mysql_testbed

BESIDE = RestoreRequest(mode=RestoreMode.BESIDE)
OVERWRITE = RestoreRequest(mode=RestoreMode.OVERWRITE)
SWAP = RestoreRequest(mode=RestoreMode.SWAP)
TABLES = """
CREATE TABLE people (id INT PRIMARY KEY, name TEXT) CHARACTER SET latin1;
INSERT INTO people VALUES (1, 'Zoë'), (2, NULL);
CREATE TABLE notes (id INT PRIMARY KEY, who INT, CONSTRAINT wrote FOREIGN KEY (who)
  REFERENCES people (id) ON DELETE CASCADE);
INSERT INTO notes VALUES (1, 1), (2, 2);
CREATE TABLE `odd ``na'me` (a INT) ENGINE=MyISAM;
"""
_CHANGES = """
DELETE FROM people WHERE id IN (2, 8);
CREATE TABLE newer (a INT); INSERT INTO newer VALUES (1);
"""


@dataclass(kw_only=True)
class World:
    """A live database that has changed since its backup."""

    case: Case
    live: str
    backup: tuple[StoredDump, ...]
    before: str
    after: str

    def restore(self, request: RestoreRequest, *pieces: StoredDump) -> Restored:
        target = self.case.connection(self.live)
        return ENGINE.restore(target, pieces or self.backup, Interrupt(), request)

    def state(self, database: str) -> str:
        return state(self.case, database)

    def databases(self) -> set[str]:
        found = self.case.server.sql("SHOW DATABASES").splitlines()
        return {name for name in found if name.startswith(self.live)}


def state(case: Case, database: str, *tables: str) -> str:
    """All of a database, or some tables of it, as the stock tool dumps them."""
    server = case.server
    program = "mariadb-dump" if server.is_mariadb else "mysqldump"
    own = ["--skip-ssl"] if server.is_mariadb else ["--get-server-public-key"]
    if not server.is_mariadb:
        own += ["--set-gtid-purged=OFF", "--column-statistics=0"]
        # MySQL 5.7 takes its newer tools for latin1.
        own += ["--init-command=SET NAMES utf8mb4"]
    command = [str(mysql_testbed.clients() / program), "--no-defaults", "--host=127.0.0.1", *own]
    command += [f"--port={server.port}", f"--user={server.user}", "--skip-comments"]
    command += ["--single-transaction", "--no-tablespaces", "--default-character-set=utf8mb4"]
    command += ["--hex-blob", "--skip-lock-tables", "--skip-add-locks"]
    command += [] if tables else ["--routines", "--events"]
    done = subprocess.run(
        [*command, "--", database, *tables],
        env={**os.environ, "MYSQL_PWD": server.password},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(errors="surrogateescape")


def make(case: Case, sql: str, **options: str) -> World:
    live = case.database()
    if sql:
        case.server.sql(sql, live)
    else:
        fill(case.server, live)
    _, found = dump_parts(case.job(live, **options))
    backup = tuple(piece(name, data, part) for name, part, data in found)
    before = state(case, live)
    case.server.sql(_CHANGES, live)
    after = state(case, live)
    return World(case=case, live=live, backup=backup, before=before, after=after)


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
