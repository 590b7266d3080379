"""A server of each engine, with a login and a little data for one recipe at a time."""

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.conformance.test_recipes import Recipe
from tests.demo import images
from tests.demo.world import SHOP, World
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.databases import clickhouse_config, search
from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.proxies.search_front import start as start_front
from tests.testbed.proxies.tcp_faults import TcpProxy
from tests.testbed.toolchain import pki, scratch

_ROWS = 1000
_ROOT = "root"
_HTTP = 8123
_START = """
set -euo pipefail
printf '%s' "$CONFIG" >/data/config.xml
printf '%s' "$USERS" >/data/users.xml
exec clickhouse-server --config-file=/data/config.xml
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a recipe's dumps come as, by the plan of its view."""

    user: str
    database: str
    secret: str
    """The Secret that the page names."""
    key: str
    """Where the password is in it."""
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @classmethod
    def of(cls, recipe: Recipe) -> "Account":
        data = recipe.objects["Secret"]["data"]
        given = {name.rpartition("_")[2]: text for name, text in data.items()}
        secret = recipe.says["login from"]
        namespace = recipe.says["workload"].partition("/")[0]
        source = recipe.view["namespaces"][namespace]["contents"][f"Secret/{secret}"]["data"]
        return cls(
            user=base64.b64decode(given["USERNAME"]).decode(),
            database=base64.b64decode(given.get("DATABASE", "")).decode() or "shop",
            secret=secret,
            key=next(key for key, text in source.items() if text == given["PASSWORD"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server as the pods of recipes reach it; `content` names a database or an index."""

    address: tuple[str, int]
    fill: Callable[[Account], None]
    """Make the account, and what it may read; whatever was there before goes."""
    content: Callable[[str], str]
    password: str = field(default="", repr=False)
    """The only one that there is, where it is not the account's."""
    authority: Path | None = None
    """Whose certificate it has, where it speaks TLS."""

    def secrets(self, account: Account) -> Mapping[str, Mapping[str, str]]:
        """What takes the place of the view's made-up texts, by Secret and key."""
        found = {account.secret: {account.key: self.password or account.password}}
        if self.authority is not None:
            found["logs-es-http-certs-public"] = {"ca.crt": self.authority.read_text()}
        return found


@contextmanager
def _postgresql(world: World, _cluster: Cluster) -> Iterator[Server]:
    name, login = "recipes-postgresql", ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB")
    values = dict(zip(login, ("admin", secrets.token_hex(16), "first"), strict=True))
    ready = ["pg_isready", "-h", "127.0.0.1"]
    world.deploy(name, images.DATABASE, port=5432, login=values, ready=ready)

    def sql(text: str, database: str = "first") -> str:
        return world.psql(text, database, f"{name}-0")

    def fill(account: Account) -> None:
        user, database = account.user, account.database
        for one in (database, f"{database}_restored"):
            sql(f'DROP DATABASE IF EXISTS "{one}" WITH (FORCE)')
        sql(f'DROP ROLE IF EXISTS "{user}"')
        sql(f"CREATE ROLE \"{user}\" LOGIN CREATEDB PASSWORD '{account.password}'")
        sql(f'CREATE DATABASE "{database}" OWNER "{user}"')
        made = f"SELECT g AS id, md5(g::text) AS text FROM generate_series(1, {_ROWS}) g"
        sql(f'SET ROLE "{user}"; CREATE TABLE t AS {made}', database)

    def content(database: str) -> str:
        return sql("SELECT count(*), md5(string_agg(id || text, '' ORDER BY id)) FROM t", database)

    yield Server(address=(_host(name), 5432), fill=fill, content=content)


@contextmanager
def _mysql(world: World, _cluster: Cluster) -> Iterator[Server]:
    name, login = "recipes-mysql", ("MARIADB_USER", "MARIADB_PASSWORD", "MARIADB_DATABASE")
    values = dict(zip(login, ("admin", secrets.token_hex(16), "first"), strict=True))
    ready = "mariadb -h 127.0.0.1 -u admin --password=$MARIADB_PASSWORD -e 'SELECT 1' first"
    command = ["bash", "-c", ready]
    world.deploy(name, images.MARIADB, port=3306, login=values, ready=command)

    def sql(text: str, database: str = "first") -> str:
        client = ["mariadb", "--socket=/tmp/mariadb.sock", f"--user={_ROOT}", "-N", database]
        return world.kube.execute(f"{name}-0", SHOP, *client, stdin=text)

    def fill(account: Account) -> None:
        database, user = account.database, f"'{account.user}'@'%'"
        # With `databases: "*"` the server's own first one is restored, too.
        for one in (database, f"{database}_restored", "first_restored"):
            sql(f"DROP DATABASE IF EXISTS `{one}`")
        sql(f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{account.password}'")
        sql(f"GRANT ALL ON *.* TO {user} WITH GRANT OPTION")
        sql(f"CREATE DATABASE `{database}`")
        made = f"SELECT seq AS id, MD5(seq) AS text FROM seq_1_to_{_ROWS}"
        sql(f"CREATE TABLE t AS {made}", database)

    yield Server(
        address=(_host(name), 3306),
        fill=fill,
        content=lambda database: sql("SELECT COUNT(*), SUM(CRC32(text) * id) FROM t", database),
    )


@contextmanager
def _clickhouse(world: World, _cluster: Cluster) -> Iterator[Server]:
    name, reader = "recipes-clickhouse", Login.make("backup")
    config, users = _clickhouse_files(f"{name}-0.{name}-headless.{SHOP}", reader)
    world.deploy(
        name,
        images.CLICKHOUSE_SERVER,
        port=_HTTP,
        login={"CONFIG": config, "USERS": users, "CLICKHOUSE_PASSWORD": reader.password},
        ready=["bash", "-c", f": </dev/tcp/127.0.0.1/{_HTTP}"],
        command=["bash", "-c", _START],
    )

    def sql(*statements: str) -> str:
        client = f'clickhouse-client --user={reader.user} --password="$CLICKHOUSE_PASSWORD"'
        words = ["bash", "-c", f"{client} --multiquery"]
        return world.kube.execute(f"{name}-0", SHOP, *words, stdin=";\n".join(statements))

    def fill(account: Account) -> None:
        assert account.user == reader.user
        sql(
            "DROP DATABASE IF EXISTS shop",
            "DROP DATABASE IF EXISTS shop_restored",
            "CREATE DATABASE shop",
            "CREATE TABLE shop.t (id UInt64, text String) ENGINE = MergeTree ORDER BY id",
            f"INSERT INTO shop.t SELECT number, toString(cityHash64(number)) FROM numbers({_ROWS})",
        )

    yield Server(
        address=(_host(name), _HTTP),
        fill=fill,
        content=lambda database: sql(f"SELECT count(), sum(cityHash64(*)) FROM {database}.t"),
        password=reader.password,
    )


def _clickhouse_files(host: str, login: Login) -> tuple[str, str]:
    """config.xml and users.xml of a server that is a cluster of its own, without a ZooKeeper."""
    layout = clickhouse_config.Layout(
        hosts=[[f"{host}.svc.cluster.local"]],
        http_port=_HTTP,
        tcp_port=9000,
        interserver_port=9009,
        zookeeper_port=2181,
        admin=login,
        reader=Login.make("reader"),
        clients="::/0",
    )
    config = clickhouse_config.server(layout, "/data", 1, 1)
    config = re.sub(r"<zookeeper>.*</zookeeper>", "", config, flags=re.DOTALL)
    config = re.sub(r"<listen_host>.*</listen_host>", "<listen_host>::</listen_host>", config)
    return config, clickhouse_config.users(layout)


@contextmanager
def _opensearch(_world: World, cluster: Cluster) -> Iterator[Server]:
    with (
        search.start("opensearch-3") as node,
        start_front(node.port, login=True, user="admin") as front,
        TcpProxy("127.0.0.1", front.port, listen=cluster.host_address) as passage,
    ):
        address = (cluster.host_address, passage.port)
        yield _search(node, address, front.password)


@contextmanager
def _elasticsearch(_world: World, cluster: Cluster) -> Iterator[Server]:
    """As ECK has it: TLS by an authority of its own, and the user `elastic`."""
    folder = scratch.make("recipes")
    authority = pki.authority(folder)
    pair = authority.server("logs", ["logs-es-http.demo.svc", "localhost", "127.0.0.1"])
    with (
        search.start("elasticsearch-8") as node,
        start_front(node.port, tls=pair, login=True, user="elastic") as front,
        TcpProxy("127.0.0.1", front.port, listen=cluster.host_address) as passage,
    ):
        address = (cluster.host_address, passage.port)
        yield _search(node, address, front.password, authority.pair.cert)
    scratch.remove(folder)


def _search(
    node: search.SearchServer,
    address: tuple[str, int],
    password: str,
    authority: Path | None = None,
) -> Server:
    def fill(_account: Account) -> None:
        node.clear()
        node.bulk("shop", {str(n): json.dumps({"n": n, "name": "Zoë 🐘"}) for n in range(_ROWS)})

    def content(index: str) -> str:
        node.ask("POST", f"/{index}/_refresh")
        found = node.ask("GET", f"/{index}/_search?size={_ROWS}&sort=n")["hits"]["hits"]
        return json.dumps([(item["_id"], item["_source"]) for item in found])

    return Server(
        address=address, fill=fill, content=content, password=password, authority=authority
    )


def _host(name: str) -> str:
    return f"{name}.{SHOP}.svc.cluster.local"


_STARTS: Mapping[str, Callable[[World, Cluster], AbstractContextManager[Server]]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "clickhouse": _clickhouse,
    "opensearch": _opensearch,
    "elasticsearch": _elasticsearch,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Those that were asked for so far; each is started once, and ends with the context."""

    world: World
    cluster: Cluster
    _open: ExitStack = field(default_factory=ExitStack)
    _running: dict[str, Server] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def of(self, recipe: Recipe, engine: str) -> Server:
        """The one for a recipe of an engine."""
        name = recipe.page if recipe.page in _STARTS else engine
        if name not in self._running:
            started = _STARTS[name](self.world, self.cluster)
            self._running[name] = self._open.enter_context(started)
        return self._running[name]
