"""Drills ask the live server nothing, and dumps no more for being drilled: its own log counts.

Every process has the environment that the controller gives its container.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controller.manifests.manifest import list_manifests, reader_refs
from controller.manifests.overlay import overlay
from controller.manifests.reading import drill_pod
from controller.model import names
from controller.model.objects import Json
from controller.workloads.backup_spec import BackupSpec
from dumpers.contract import names as variables
from dumpers.contract.result import DumpResult
from dumpers.engines.clickhouse.throwaway import DRILL_SERVER, MARKS
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import settings
from tests.integration.dumpers.drill import test_mysql as mysql
from tests.integration.dumpers.drill import test_postgresql as postgresql
from tests.testbed.databases import clickhouse_front, search
from tests.testbed.databases import mysql as mysql_testbed
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.clickhouse_front import Front
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.databases.search_throwaway import Throwaway as SearchNode
from tests.testbed.databases.search_throwaway import start_throwaway
from tests.testbed.driller import Driller, drill_records
from tests.testbed.dumper import Dumper, storage_env
from tests.testbed.proxies.http_faults import HttpProxy
from tests.testbed.stores.s3 import S3Server
from tests.unit.controller.manifests.reading.test_drill_cronjob import containers, plain
from tests.unit.controller.manifests.reading.test_drill_cronjob import spec as spec_of

Asked = Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A live server.

    `asked` counts what its clients have asked of it, `start` makes a throwaway server like it,
    `path` has the clients' programs, and `tls` is the annotation, empty for none.
    """

    engine: str
    port: int
    login: Mapping[str, str]
    asked: Callable[[], Asked]
    start: Callable[[], AbstractContextManager[Any]]
    path: str = ""
    tls: str = ""


@contextmanager
def of_postgresql() -> Iterator[Source]:
    options = {"log_statement": "all", "log_connections": "on", "log_line_prefix": "%a|"}
    with postgres_testbed.start(major=postgresql.MAJORS[0], options=options) as server:
        server.psql("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) g")
        log = server._folder / "log"

        def asked() -> Asked:
            lines = log.read_text(errors="replace").splitlines()
            kinds = ("connection received", "statement: ", "execute ")
            return Counter(kind for line in lines for kind in kinds if kind in line)

        yield Source(
            engine="postgresql",
            port=server.port,
            login={
                "POSTGRESQL_USERNAME": server.user,
                "POSTGRESQL_PASSWORD": server.password,
                "POSTGRESQL_DATABASE": "postgres",
            },
            asked=asked,
            start=lambda: postgresql.start(postgresql.MAJORS[0]),
            path=str(postgres_testbed.bin_folder()),
        )


@contextmanager
def of_mysql() -> Iterator[Source]:
    with mysql_testbed.start(mysql.MYSQL) as server:
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)", "shop")
        server.sql("CREATE USER reader@'%' IDENTIFIED BY 'x'; GRANT ALL ON *.* TO reader@'%'")
        server.sql("SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = ON")

        def asked() -> Asked:
            counted = server.sql(
                "SELECT command_type, COUNT(*) FROM mysql.general_log "
                f"WHERE user_host NOT LIKE '%{server.user}%' AND argument NOT LIKE "
                f"'{server.user}@%' GROUP BY 1"
            )
            rows = (line.split("\t") for line in counted.splitlines())
            return Counter({kind: int(count) for kind, count in rows if kind != "command_type"})

        yield Source(
            engine="mysql",
            port=server.port,
            login={
                "MYSQL_USERNAME": "reader",
                "MYSQL_PASSWORD": "x",
                "MYSQL_DATABASE": "shop",
            },
            asked=asked,
            start=lambda: mysql.start(mysql.MYSQL),
            path=str(mysql_testbed.clients()),
        )


@contextmanager
def counted(port: int) -> Iterator[tuple[int, Callable[[], Asked]]]:
    """A way to a server that speaks HTTP, and what was asked on it."""
    with HttpProxy("127.0.0.1", port) as proxy:
        yield proxy.port, lambda: Counter(item.method for item in proxy.seen())


@contextmanager
def of_clickhouse() -> Iterator[Source]:
    login = Login(user=DRILL_SERVER.user, password="")
    with clickhouse_front.start_front() as server, counted(server.http_port) as (port, asked):
        server.sql("CREATE DATABASE shop")
        server.sql("CREATE TABLE shop.t (id UInt64) ENGINE = MergeTree ORDER BY id")
        server.sql("INSERT INTO shop.t SELECT number FROM numbers(1000)")
        yield Source(
            engine="clickhouse",
            port=port,
            login={
                "CLICKHOUSE_USERNAME": server.admin.user,
                "CLICKHOUSE_PASSWORD": server.admin.password,
            },
            asked=asked,
            start=lambda: clickhouse_front.start_front(marks=MARKS, login=login),
        )


@contextmanager
def of_elasticsearch() -> Iterator[Source]:
    name = "elasticsearch-7"
    with search.start(name) as server, counted(server.port) as (port, asked):
        server.bulk("books", {f"{number}": f'{{"n":{number}}}' for number in range(1000)})
        yield Source(
            engine="elasticsearch",
            port=port,
            login={},
            asked=asked,
            start=lambda: start_throwaway(name),
            # The proxy waits for a request where a server would say that it speaks no TLS.
            tls="disable",
        )


SOURCES = {
    "postgresql": of_postgresql,
    "mysql": of_mysql,
    "clickhouse": of_clickhouse,
    "elasticsearch": of_elasticsearch,
}


def port_of(server: Any) -> int:
    """Where a throwaway server listens; in a pod it is the engine's own port."""
    if isinstance(server, Front):
        return server.http_port
    found = server.connection.port if isinstance(server, SearchNode) else server.port
    return int(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A source, and its objects as the controller makes them, with the store's values put in."""

    source: Source
    s3: S3Server
    bucket: str
    folder: Path

    def spec(self, schedule: str) -> BackupSpec:
        engine = next(item for item in ENGINES if item.type == self.source.engine)
        asked = {"drill_schedule": schedule} | ({"tls": self.source.tls} if self.source.tls else {})
        made: BackupSpec = replace(
            spec_of(self.source.engine, None, **asked),
            engine=engine,
            host="127.0.0.1",
            port=self.source.port,
            credentials=dict(self.source.login),
            certificates="",
        )
        return made

    def cronjobs(self, spec: BackupSpec) -> tuple[Json, Json | None]:
        """The CronJob that dumps, and the one that drills."""
        listed = list_manifests(spec, settings(BACKUP_SECRET_NAME="keys"), "cluster", {})
        made = {item.ref: overlay(None, item.body) for item in listed}
        dump = next(item for ref, item in made.items() if ref.name == spec.name)
        return dump, made.get(reader_refs(spec.name)[1])

    def env(self, container: Json, side: str) -> dict[str, str]:
        store = storage_env(self.s3, self.bucket)
        given = plain(container)
        secret = {
            item["name"]: self.source.login[item["name"]]
            for item in container["env"]
            if "valueFrom" in item and item["name"] in self.source.login
        }
        known = {name: text for name, text in store.items() if name in names_of(container)}
        return {
            **given,
            **secret,
            **known,
            "PATH": f"{self.source.path}:/usr/bin:/bin".lstrip(":"),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            variables.ENGINE: self.source.engine,
            variables.HOSTNAME: "pod",
            variables.TERMINATION_LOG: str(self.folder / f"{side}-termination"),
        }

    def dump(self, cronjob: Json, pod: str) -> DumpResult:
        """Objects of two pods of one name would be the same, if both begin in one second."""
        (container,) = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        env = self.env(container, "dump")
        env[variables.TERMINATION_LOG] = str(self.folder / "termination-log")
        env[variables.HOSTNAME] = pod
        ended = Dumper(env=env, folder=self.folder).run()
        assert ended.exit_code == 0, ended.log
        return ended.result

    def drill(self, cronjob: Json, port: int) -> str:
        """The outcome."""
        found = containers(cronjob)
        driller = Driller.of({}, engine=self.source.engine)
        exchange = {variables.EXCHANGE: str(driller.folder)}
        driller.reader_env = self.env(found[names.CONTAINER], "reader") | exchange
        driller.client_env = self.env(found[drill_pod.CLIENT], "client") | exchange
        driller.client_env[f"{self.source.engine.upper()}_PORT"] = str(port)
        try:
            ended = driller.run()
            assert ended.reader.exit_code == 0, ended.logs
            return str(ended.result.outcome)
        finally:
            driller.close()


def names_of(container: Json) -> set[str]:
    return {item["name"] for item in container["env"]}


@pytest.mark.parametrize("engine", SOURCES)
def test_a_drill_asks_the_source_nothing_and_a_dump_no_more(
    engine: str, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    with ExitStack() as ending:
        source = ending.enter_context(SOURCES[engine]())
        world = World(source=source, s3=s3, bucket=bucket, folder=tmp_path)
        plainly, none = world.cronjobs(world.spec("none"))
        drilled, drill = world.cronjobs(world.spec("0 5 * * 6"))
        assert none is None
        assert drill

        before = source.asked()
        world.dump(plainly, "pod-1")
        first = source.asked()
        world.dump(drilled, "pod-2")
        second = source.asked()
        assert first - before
        assert second - first == first - before, (before, first, second)

        server = ending.enter_context(source.start())
        assert world.drill(drill, port_of(server)) == "passed"
        assert source.asked() == second
        [(_, record)] = drill_records(s3, bucket)
        assert record.tables
