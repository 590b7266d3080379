"""Databases in the cluster whose data outlives their pods, to be killed during restores."""

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.demo import images
from tests.demo.objects import USER
from tests.demo.world import SHOP, World
from tests.e2e.processes_in_pods import processes_of

DATABASE = "ledger"
_ROWS, _ENTRIES = 500, 400_000
# Two small tables at both ends of a dump say of which state all of it is.
STORED, CHANGED = (f"{_ROWS} {state} {state} | {_ROWS} {state} {state}" for state in ("old", "new"))
_CHANGE = """
UPDATE a_first SET state = 'new';
UPDATE z_last SET state = 'new';
DELETE FROM entries WHERE id % 3 = 0;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of server. `variables` are those of its image for user, password and database.

    `client` and `dump` are shell words before the name of a database, where HOST and PASSWORD are
    set; the client answers bare lines, and each statement at once. `look` is a statement on one
    line, `is_refusal` holds words of those answers that are no look at all.
    """

    engine: str
    image: str
    port: int
    process: str
    variables: tuple[str, str, str]
    ready: str
    client: str
    dump: str
    databases: str
    fill: str
    look: str
    refusals: tuple[str, ...]


POSTGRESQL = Kind(
    engine="postgresql",
    image=images.DATABASE,
    port=5432,
    process="postgres",
    variables=("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    ready="pg_isready -h 127.0.0.1",
    client='PGCONNECT_TIMEOUT=5 PGPASSWORD="$PASSWORD" psql -h "$HOST" -U shop -qAt '
    "-v ON_ERROR_STOP=1 -v VERBOSITY=terse -d",
    dump='PGPASSWORD="$PASSWORD" pg_dump -h "$HOST" -U shop -d',
    databases="SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate",
    fill=f"""
CREATE TABLE a_first (id int PRIMARY KEY, state text);
CREATE TABLE entries (id int PRIMARY KEY, words text);
CREATE TABLE z_last (id int PRIMARY KEY, state text);
INSERT INTO a_first SELECT g, 'old' FROM generate_series(1, {_ROWS}) g;
INSERT INTO entries SELECT g, gen_random_uuid()::text || gen_random_uuid()
FROM generate_series(1, {_ENTRIES}) g;
INSERT INTO z_last SELECT g, 'old' FROM generate_series(1, {_ROWS}) g;
""",
    look="SELECT format('%s %s %s | %s %s %s', a.n, a.low, a.high, z.n, z.low, z.high) FROM "
    "(SELECT count(*) n, min(state) low, max(state) high FROM a_first) a, "
    "(SELECT count(*) n, min(state) low, max(state) high FROM z_last) z;",
    # The last two are how the server says that a name changes while somebody logs in.
    refusals=(
        *(
            "connection to server",
            "timeout expired",
            "server closed the connection",
            "terminating connection",
        ),
        *("This probably means", "before or while processing", "Is the server running"),
        *("not currently accepting connections", "the database system is"),
        f'database "{DATABASE}" does not exist',
        "It seems to have just been dropped or renamed",
    ),
)
MARIADB = Kind(
    engine="mysql",
    image=images.MARIADB,
    port=3306,
    process="mariadbd",
    variables=("MARIADB_USER", "MARIADB_PASSWORD", "MARIADB_DATABASE"),
    ready=f'mariadb -h 127.0.0.1 -u shop --password="$MARIADB_PASSWORD" -e "SELECT 1" {DATABASE}',
    client='MYSQL_PWD="$PASSWORD" mariadb -h "$HOST" -u shop -N -B --unbuffered '
    "--connect-timeout=5",
    dump='MYSQL_PWD="$PASSWORD" mariadb-dump -h "$HOST" -u shop --skip-comments',
    databases="SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN "
    "('mysql', 'sys', 'information_schema', 'performance_schema')",
    fill=f"""
CREATE TABLE a_first (id INT PRIMARY KEY, state VARCHAR(20));
CREATE TABLE entries (id INT PRIMARY KEY, words VARCHAR(120));
CREATE TABLE z_last (id INT PRIMARY KEY, state VARCHAR(20));
INSERT INTO a_first SELECT seq, 'old' FROM seq_1_to_{_ROWS};
INSERT INTO entries SELECT seq, CONCAT(UUID(), MD5(seq), MD5(-seq)) FROM seq_1_to_{_ENTRIES};
INSERT INTO z_last SELECT seq, 'old' FROM seq_1_to_{_ROWS};
""",
    look="SELECT CONCAT_WS(' ', a.n, a.low, a.high, '|', z.n, z.low, z.high) FROM "
    "(SELECT COUNT(*) n, MIN(state) low, MAX(state) high FROM a_first) a, "
    "(SELECT COUNT(*) n, MIN(state) low, MAX(state) high FROM z_last) z;",
    # The client shows the statement that was cut off, too, between lines.
    refusals=(
        *("ERROR 2002", "ERROR 2003", "ERROR 2006", "ERROR 2013", "ERROR 2026", "ERROR 1053"),
        *("--------------", "SELECT CONCAT_WS"),
    ),
)
KINDS = (POSTGRESQL, MARIADB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One database of a kind, in a StatefulSet that keeps its data on the node."""

    world: World
    kind: Kind
    number: int
    folder: Path
    password: str = field(repr=False)

    @property
    def name(self) -> str:
        """The StatefulSet's."""
        return f"ledger-{self.kind.process}-{self.number}"

    @property
    def pod(self) -> str:
        return f"{self.name}-0"

    def deploy(self) -> None:
        """Bring the server up, empty."""
        kind, kube = self.kind, self.world.kube
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        os.chown(self.folder, USER, USER)
        login = dict(zip(kind.variables, ("shop", self.password, DATABASE), strict=True))
        self.world.deploy(
            self.name,
            kind.image,
            port=kind.port,
            login=login,
            ready=["bash", "-c", kind.ready],
            folder=str(self.folder),
        )
        assert kube.get("statefulset", self.name, SHOP) is not None

    def remove(self) -> None:
        """Take the server away with all that it holds."""
        self.world.kube.run("delete", "statefulset", self.name, "-n", SHOP, "--wait=true")
        self.world.kube.run("delete", "pod", self.pod, "-n", SHOP, "--ignore-not-found")
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self) -> None:
        self.sql(self.kind.fill)

    def change(self) -> None:
        """Change something everywhere, so that no part of one state looks like the other."""
        self.sql(_CHANGE)

    def sql(self, text: str, database: str = DATABASE) -> str:
        return self._shell(f"{self.kind.client} {database}", stdin=text).strip()

    def databases(self) -> set[str]:
        """All of the server that are not its own."""
        return set(self.sql(self.kind.databases).split("\n"))

    def digest(self, database: str = DATABASE) -> str:
        """The sha256 of what the stock tool dumps, less what differs each time."""
        dump = f"{self.kind.dump} {database}"
        return self._shell(rf"{dump} | grep -Ev '^\\(un)?restrict ' | sha256sum")

    def kill(self) -> None:
        """SIGKILL for the server; its StatefulSet brings a new pod up with the same data."""
        killed = processes_of(self.pod)
        # The first process takes the others of its container along.
        os.kill(killed[self.kind.process], signal.SIGKILL)
        # A pod of its own, as a container that ends again and again has to wait.
        self.world.kube.run("delete", "pod", self.pod, "-n", SHOP, "--wait=true")

    def wait(self) -> None:
        """Wait until it answers."""
        rollout = ["rollout", "status", "-n", SHOP, f"statefulset/{self.name}", "--timeout=180s"]
        self.world.kube.run(*rollout)

    def _shell(self, script: str, *, stdin: str | None = None) -> str:
        _, password, _ = self.kind.variables
        first = f'set -euo pipefail; HOST=127.0.0.1 PASSWORD="${password}"'
        command = ["bash", "-c", f"{first}; {script}"]
        return self.world.kube.execute(self.pod, SHOP, *command, stdin=stdin)
