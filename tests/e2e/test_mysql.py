"""From the annotation to a restored database, with the dumper of MySQL and MariaDB."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import pytest

from dumpers.contract.result import DumpResult
from dumpers.runtime.errors import ExitCode
from tests.demo import images
from tests.demo.world import SHOP, World
from tests.e2e.conftest import Stage

_NAME, DATABASE, _COPY = "mariadb", "shop", "shop_restored"
DATA = """
CREATE SEQUENCE numbers START WITH 100;
CREATE TABLE people (id INT PRIMARY KEY DEFAULT NEXTVAL(numbers), name VARCHAR(50) UNIQUE);
CREATE TABLE notes (id INT PRIMARY KEY, author INT, body TEXT, FOREIGN KEY (author)
  REFERENCES people (id));
INSERT INTO people (name) SELECT CONCAT('Zoë 🐘 ', seq) FROM seq_1_to_1000;
INSERT INTO notes SELECT seq, 100 + seq MOD 1000, REPEAT('line\\n', 40) FROM seq_1_to_50000;
CREATE VIEW authors AS SELECT name, COUNT(*) wrote FROM people JOIN notes ON author = people.id
  GROUP BY name;
DELIMITER ;;
CREATE TRIGGER upper_name BEFORE INSERT ON people FOR EACH ROW SET NEW.name = TRIM(NEW.name);;
CREATE PROCEDURE tidy() BEGIN DELETE FROM notes WHERE id < 0; END;;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO CALL tidy();;
DELIMITER ;
"""
_FINGERPRINT = """
CHECKSUM TABLE people, notes;
SELECT COUNT(*), SUM(wrote) FROM authors;
SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE();
SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE();
SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE();
SELECT NEXTVAL(numbers) > 1000;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MariaDB:
    """A MariaDB in the cluster that is backed up, and its account."""

    world: World
    name: str
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @classmethod
    @contextmanager
    def with_data(cls, world: World, name: str) -> Iterator[Self]:
        """One with DATA in it, gone at the end.

        Each needs a name of its own: what the operator keeps of one that is gone, its password
        too, stays until the next pass.
        """
        made = cls(world=world, name=name)
        made.deploy()
        try:
            made.sql(DATA)
            yield made
        finally:
            world.kube.run("delete", "statefulset", name, "-n", SHOP, "--wait=true")

    def deploy(self) -> None:
        login = {
            "MARIADB_USER": "shop",
            "MARIADB_PASSWORD": self.password,
            "MARIADB_DATABASE": DATABASE,
        }
        # The socket is there before the account is.
        ready = "mariadb -h 127.0.0.1 -u shop --password=$MARIADB_PASSWORD -e 'SELECT 1' shop"
        command = ["bash", "-c", ready]
        self.world.deploy(self.name, images.MARIADB, port=3306, login=login, ready=command)

    def sql(self, text: str, database: str = DATABASE) -> str:
        client = f'MYSQL_PWD="$MARIADB_PASSWORD" mariadb -h 127.0.0.1 -u shop -N {database}'
        command = ["bash", "-c", f"{client} --default-character-set=utf8mb4"]
        return self.world.kube.execute(f"{self.name}-0", SHOP, *command, stdin=text)

    def fingerprint(self, database: str) -> str:
        return self.sql(_FINGERPRINT, database).replace(f"{database}.", "")

    def dump(self, **annotations: str) -> DumpResult:
        """Annotate, and run the CronJob that comes of it."""
        schedule = f"{secrets.randbelow(60)} {secrets.randbelow(24)} 1 1 *"
        self.world.annotate(schedule, self.name, "mysql", **annotations)
        cronjob = self.world.cronjob(schedule, self.name)["metadata"]["name"]
        code, result = self.world.dump(cronjob)
        assert code == ExitCode.DONE, result.message
        return result

    def load(self, keys: tuple[str, ...]) -> None:
        """Restore objects with curl, age, gunzip and mariadb into a new database."""
        self.sql(f"DROP DATABASE IF EXISTS {_COPY}; CREATE DATABASE {_COPY}")
        host = f"{self.name}.{SHOP}.svc.cluster.local"
        client = f"mariadb --host={host} --user=shop --binary-mode {_COPY}"
        objects = [(key, client) for key in keys]
        self.world.load(objects, images.MARIADB, env={"MYSQL_PWD": self.password})


@pytest.fixture(scope="module")
def mariadb(shared_stage: Stage) -> Iterator[MariaDB]:
    with MariaDB.with_data(shared_stage.world, _NAME) as made:
        yield made


def test_from_annotation_to_restored_comparison(stage: Stage, mariadb: MariaDB) -> None:
    result = mariadb.dump()
    assert len(result.keys) == 1
    mariadb.load(result.keys)
    assert mariadb.fingerprint(_COPY) == mariadb.fingerprint(DATABASE)


def test_one_object_per_table(stage: Stage, mariadb: MariaDB) -> None:
    result = mariadb.dump(**{"per-table": "true"})
    assert [key.rpartition("/")[2] for key in result.keys[:-1]] == [
        "numbers.sql.gz.age",
        "notes.sql.gz.age",
        "people.sql.gz.age",
    ]
    mariadb.load(result.keys)
    assert mariadb.fingerprint(_COPY) == mariadb.fingerprint(DATABASE)
