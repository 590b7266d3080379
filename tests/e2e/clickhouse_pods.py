"""ClickHouse in pods as Altinity's operator makes a cluster: a StatefulSet for each replica."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.demo import images
from tests.demo.kube import Object
from tests.demo.objects import from_secret, secret, service, stateful_set
from tests.demo.world import PREFIX, SHOP, World
from tests.testbed.databases import clickhouse_config
from tests.testbed.databases.clickhouse_http import Login

CLUSTER = clickhouse_config.CLUSTER
_LABEL = "clickhouse.altinity.com"
_HTTP, _TCP, _INTERSERVER, _ZOOKEEPER = 8123, 9000, 9009, 2181
_SHARDS = _REPLICAS = 2
_CONFIG = "/config"
# The server resolves the hosts of its cluster when it starts, and ends where it cannot.
_START = f"""
for host in $HOSTS; do until getent hosts "$host"; do sleep 0.2; done; done >/dev/null
exec clickhouse-server --config-file={_CONFIG}/config.xml
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One server; shards and replicas are counted from 1, as the server does."""

    name: str
    shard: int
    number: int

    @property
    def host(self) -> str:
        """Its name, and its Service's, from 0 as the operator counts."""
        return f"chi-{self.name}-{CLUSTER}-{self.shard - 1}-{self.number - 1}"

    @property
    def label(self) -> str:
        """What the manifest calls it."""
        return f"s{self.shard}r{self.number}"

    @property
    def pod(self) -> str:
        return f"{self.host}-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickHouse:
    """Two shards of two replicas and their ZooKeeper in the shop's namespace."""

    world: World
    name: str
    login: Login = field(default_factory=lambda: Login.make("shop"))

    @property
    def replicas(self) -> Sequence[Replica]:
        return [
            Replica(name=self.name, shard=shard, number=number)
            for shard in range(1, _SHARDS + 1)
            for number in range(1, _REPLICAS + 1)
        ]

    @property
    def hosts(self) -> list[str]:
        return [replica.host for replica in self.replicas]

    @property
    def service(self) -> str:
        """The Service that leads to any of the replicas."""
        return f"clickhouse-{self.name}"

    def deploy(self, annotations: Mapping[str, str]) -> None:
        """Bring it up, with our annotations (without their prefix) on the pods."""
        own = {f"{PREFIX}/{key}": value for key, value in annotations.items()}
        labels = {f"{_LABEL}/chi": self.name}
        env = {"CLICKHOUSE_USER": self.login.user, "CLICKHOUSE_PASSWORD": self.login.password}
        objects = [
            secret(self.service, SHOP, env),
            service(self.service, SHOP, labels, _HTTP, _TCP),
            *self._zookeeper(),
        ]
        layout = self._layout()
        for replica in self.replicas:
            objects += self._replica(replica, layout, labels, own, env)
        self.world.kube.apply(*objects)
        self._wait(self._keeper, *self.hosts)

    def remove(self) -> None:
        """Take the pods away."""
        names = [self._keeper, *self.hosts]
        self.world.kube.run("delete", "statefulset", *names, "-n", SHOP, "--wait=true")

    def stop(self, shard: int) -> None:
        """Take both replicas of a shard down, with all that they hold."""
        replicas = [replica for replica in self.replicas if replica.shard == shard]
        self._scale(replicas, 0)
        gone = ["wait", "--for=delete", "-n", SHOP, "--timeout=60s"]
        self.world.kube.run(*gone, *(f"pod/{replica.pod}" for replica in replicas))

    def start(self, shard: int) -> None:
        """Bring both replicas of a shard up again, empty."""
        replicas = [replica for replica in self.replicas if replica.shard == shard]
        self._scale(replicas, 1)
        self._wait(*(replica.host for replica in replicas))

    def client(self, replica: Replica, *options: str) -> str:
        """A shell's words for the stock client, where CLICKHOUSE_PASSWORD is set."""
        words = ["clickhouse-client", f"--host={replica.host}", f"--user={self.login.user}"]
        return f'{shlex.join([*words, *options])} --password="$CLICKHOUSE_PASSWORD"'

    def curl(self, replica: Replica) -> str:
        """A shell's words for a request by HTTP, where CLICKHOUSE_PASSWORD is set."""
        words = ["curl", "--fail-with-body", "--silent", "--show-error"]
        words += ["--header", f"X-ClickHouse-User: {self.login.user}"]
        key = '--header "X-ClickHouse-Key: $CLICKHOUSE_PASSWORD"'
        return f"{shlex.join(words)} {key} http://{replica.host}:{_HTTP}/"

    def sql(self, replica: Replica, *statements: str) -> str:
        """What statements answer, columns apart by tabs."""
        command = ["bash", "-c", self.client(replica, "--multiquery")]
        text = ";\n".join(statements)
        return self.world.kube.execute(replica.pod, SHOP, *command, stdin=text).rstrip("\n")

    def load(self, objects: Iterable[tuple[str, str]]) -> None:
        """Feed each object to a command, in a pod of the server's own namespace."""
        env = {"CLICKHOUSE_PASSWORD": self.login.password}
        self.world.load(objects, images.CLICKHOUSE_SERVER, env=env)

    def _scale(self, replicas: Sequence[Replica], pods: int) -> None:
        names = [f"statefulset/{replica.host}" for replica in replicas]
        self.world.kube.run("scale", "-n", SHOP, f"--replicas={pods}", *names)

    def _wait(self, *names: str) -> None:
        for name in names:
            status = ["rollout", "status", "-n", SHOP, f"statefulset/{name}", "--timeout=180s"]
            self.world.kube.run(*status)

    @property
    def _keeper(self) -> str:
        return f"zookeeper-{self.name}"

    def _layout(self) -> clickhouse_config.Layout:
        shards = [
            [replica.host for replica in self.replicas if replica.shard == shard]
            for shard in range(1, _SHARDS + 1)
        ]
        return clickhouse_config.Layout(
            hosts=shards,
            http_port=_HTTP,
            tcp_port=_TCP,
            interserver_port=_INTERSERVER,
            zookeeper_port=_ZOOKEEPER,
            zookeeper_host=self._keeper,
            admin=self.login,
            reader=Login.make("dump"),
            clients="::/0",
        )

    def _replica(
        self,
        replica: Replica,
        layout: clickhouse_config.Layout,
        common: Mapping[str, str],
        annotations: Mapping[str, str],
        env: Mapping[str, str],
    ) -> list[Object]:
        labels = {
            **common,
            f"{_LABEL}/cluster": CLUSTER,
            f"{_LABEL}/shard": f"{replica.shard - 1}",
            f"{_LABEL}/replica": f"{replica.number - 1}",
        }
        config = clickhouse_config.server(layout, "/data", replica.shard, replica.number)
        files = {"config.xml": config, "users.xml": clickhouse_config.users(layout)}
        hosts = {"name": "HOSTS", "value": " ".join([self._keeper, *self.hosts])}
        container = {
            "name": "clickhouse",
            "image": images.names()[images.CLICKHOUSE_SERVER],
            "command": ["bash", "-c", _START],
            "env": [*from_secret(self.service, env), hosts],
            "ports": [{"containerPort": port} for port in (_HTTP, _TCP, _INTERSERVER)],
            "readinessProbe": {"httpGet": {"path": "/ping", "port": _HTTP}, "periodSeconds": 1},
        }
        return [
            secret(replica.host, SHOP, files),
            service(replica.host, SHOP, labels, _HTTP, _TCP, _INTERSERVER, headless=True),
            stateful_set(
                replica.host,
                SHOP,
                labels,
                container,
                service=replica.host,
                annotations=annotations,
                secrets={_CONFIG: replica.host},
            ),
        ]

    def _zookeeper(self) -> list[Object]:
        labels = {"app": self._keeper}
        config = {"zoo.cfg": clickhouse_config.zookeeper("/data", _ZOOKEEPER, "0.0.0.0")}
        options = clickhouse_config.zookeeper_options("/usr/share/java")
        container = {
            "name": "zookeeper",
            "image": images.names()[images.CLICKHOUSE_SERVER],
            "command": ["java", *options, f"{_CONFIG}/zoo.cfg"],
            "ports": [{"containerPort": _ZOOKEEPER}],
            "readinessProbe": {"tcpSocket": {"port": _ZOOKEEPER}, "periodSeconds": 1},
        }
        return [
            secret(self._keeper, SHOP, config),
            service(self._keeper, SHOP, labels, _ZOOKEEPER, headless=True),
            stateful_set(
                self._keeper,
                SHOP,
                labels,
                container,
                service=self._keeper,
                secrets={_CONFIG: self._keeper},
            ),
        ]
