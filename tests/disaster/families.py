"""A database of each family of engines: brought up empty, filled, and compared."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tests.demo.world import WORKLOAD, World
from tests.e2e import test_clickhouse, test_elasticsearch, test_mysql
from tests.e2e.clickhouse_pods import ClickHouse
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.databases import search
from tests.testbed.proxies.search_front import start as start_front
from tests.testbed.proxies.tcp_faults import TcpProxy

_SCHEDULE, _DOCUMENTS = "0 3 1 1 *", 3000
_MARIADB = "mariadb"
_PEOPLE = """
CREATE TABLE people (id int PRIMARY KEY, name text UNIQUE, picture bytea);
CREATE TABLE notes (id int PRIMARY KEY, author int REFERENCES people, body text);
INSERT INTO people SELECT g, E'Zoë 🐘 \\\\ ''' || g, decode(md5(g::text), 'hex')
FROM generate_series(1, 1000) g;
INSERT INTO notes SELECT g, 1 + g % 1000, repeat(E'line\\n\\t', 20) FROM generate_series(1, 5000) g;
CREATE VIEW authors AS SELECT name, count(*) FROM people JOIN notes ON author = people.id
GROUP BY 1;
"""
_FINGERPRINT = """
SELECT 'people', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM people t
UNION ALL SELECT 'notes', count(*), md5(string_agg(md5(t::text), '' ORDER BY id)) FROM notes t
UNION ALL SELECT 'authors', count(*), md5(string_agg(md5(t::text), '' ORDER BY name)) FROM authors t
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A workload in the cluster, annotated and empty at first."""

    name: str
    fill: Callable[[], object]
    fingerprint: Callable[[], object]


@contextmanager
def _postgresql(world: World, _cluster: Cluster) -> Iterator[Database]:
    world.deploy_database()
    world.annotate(_SCHEDULE)
    yield Database(
        name=WORKLOAD,
        fill=lambda: world.psql(_PEOPLE),
        fingerprint=lambda: world.psql(_FINGERPRINT),
    )


@contextmanager
def _mariadb(world: World, _cluster: Cluster) -> Iterator[Database]:
    made = test_mysql.MariaDB(world=world, name=_MARIADB)
    made.deploy()
    world.annotate(_SCHEDULE, made.name, "mysql")
    yield Database(
        name=made.name,
        fill=lambda: made.sql(test_mysql.DATA),
        fingerprint=lambda: made.fingerprint(test_mysql.DATABASE),
    )


@contextmanager
def _clickhouse(world: World, _cluster: Cluster) -> Iterator[Database]:
    made = ClickHouse(world=world, name=test_clickhouse.NAME)
    made.deploy({"enabled": "true", "type": "clickhouse", "schedule": _SCHEDULE})
    yield Database(
        name=test_clickhouse.NAME,
        fill=lambda: test_clickhouse.fill(made),
        fingerprint=lambda: [test_clickhouse.fingerprint(made, one) for one in made.replicas],
    )


@contextmanager
def _opensearch(world: World, cluster: Cluster) -> Iterator[Database]:
    with ExitStack() as open_:
        server = open_.enter_context(search.start("opensearch-3"))
        front = open_.enter_context(start_front(server.port, login=True))
        host = cluster.host_address
        passage = open_.enter_context(TcpProxy("127.0.0.1", front.port, listen=host))
        test_elasticsearch.deploy(world, front, host, passage.port)
        world.annotate(_SCHEDULE, test_elasticsearch.NAME, "elasticsearch", indices="book*")

        def fill() -> None:
            wanted = {"settings": {"number_of_shards": 2}, "aliases": {"all": {}}}
            server.ask("PUT", "/books", wanted)
            texts = {f"{n}": f'{{"n":{n}.0,"name":"Zoë 🐘 {n}"}}' for n in range(_DOCUMENTS)}
            server.bulk("books", texts)

        def fingerprint() -> object:
            server.ask("POST", "/books/_refresh")
            paths = ("_mapping", "_alias", "_count", "_source/7", f"_source/{_DOCUMENTS - 1}")
            return {path: server.raw("GET", f"/books/{path}") for path in paths}

        yield Database(
            name=test_elasticsearch.NAME,
            fill=fill,
            fingerprint=fingerprint,
        )


FAMILIES: Mapping[str, Callable[[World, Cluster], AbstractContextManager[Database]]] = {
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "clickhouse": _clickhouse,
    "opensearch": _opensearch,
}
