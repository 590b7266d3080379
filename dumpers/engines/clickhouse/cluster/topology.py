"""Which servers hold which shards, and which replica of each is read."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dumpers.runtime.errors import ConfigurationError, SourceRefusedError

# Clusters that operators and the stock configuration bring along: one that has every server as a
# replica of one shard, or as a shard of its own, would have data dumped once or many times.
_GENERATED = ("all-",)
_EXAMPLES = ("test_", "system")
_DEFAULT = "default"
_MAX_PORT = 65535
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?")
_ENTRY = re.compile(r"[^.]+(?P<suffix>\.[^.]+\.svc(?:\..+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A row of system.clusters; `port` is of the native protocol.

    `is_local` says that it may be the server that was asked.
    """

    cluster: str
    shard: int
    replica: int
    host: str
    port: int
    is_local: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """Shard and replica, to sort by."""
        return self.shard, self.replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The replicas that hold one part of the data, by their number."""

    number: int
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A server's state in system.replicas, that of its worst table; `delay` is in seconds.

    `why` is the reason why it is not reachable. `queue` shows lag sooner than `delay`, which stays
    0 while fetches fail.
    """

    reachable: bool
    readonly: bool = False
    session_expired: bool = False
    queue: int = 0
    delay: int = 0
    why: str = ""

    @property
    def is_stale(self) -> bool:
        """Whether the server has lost its Keeper, so that its missing rows cannot be known."""
        return self.readonly or self.session_expired


def choose_cluster(nodes: Iterable[Node], *, asked: str, macro: str) -> str | None:
    """The cluster whose shards are dumped: asked for, or the only one that is meant for use.

    `asked` is the annotation, `macro` the server's {cluster}; both may be empty. None says that
    there is none, so the entry point's server is all. Raises SourceRefusedError.
    """
    clusters: dict[str, list[Node]] = {}
    for node in nodes:
        clusters.setdefault(node.cluster, []).append(node)
    if asked and asked not in clusters:
        raise SourceRefusedError(
            f"the annotation cluster asks for {asked!r}, which the server does not know: "
            f"{_list(clusters)}"
        )
    chosen = asked or _by_itself(clusters, macro)
    return None if chosen is None or _is_this_host(clusters[chosen]) else chosen


def shards(nodes: Iterable[Node], cluster: str) -> tuple[Shard, ...]:
    """The shards of a cluster by their numbers, with their replicas by theirs."""
    found: dict[int, list[Node]] = {}
    for node in nodes:
        if node.cluster == cluster:
            found.setdefault(node.shard, []).append(node)
    return tuple(
        Shard(number=number, nodes=tuple(sorted(found[number], key=lambda node: node.replica)))
        for number in sorted(found)
    )


def read_shards(variable: str, text: str, *, port: int) -> tuple[Shard, ...]:
    """Shards as somebody listed them, `host:port,host2;host3`: `;` between them, `,` in them.

    `port` is meant where none is given, and all are of its protocol; IPv6 addresses stand in
    brackets. Raises ConfigurationError, which names every fault.
    """
    faults: list[str] = []
    found: list[Shard] = []
    seen: set[tuple[str, int]] = set()
    for number, part in enumerate(text.strip().removesuffix(";").split(";"), 1):
        nodes: list[Node] = []
        for replica, item in enumerate(map(str.strip, part.split(",")), 1):
            match = _HOST.fullmatch(item)
            host = match["host"].strip("[]") if match else ""
            number_of_port = int(match["port"] or port) if match else 0
            if match is None or not 0 < number_of_port <= _MAX_PORT or _is_bad(match["host"]):
                faults.append(
                    f"{variable} has {item!r} in shard {number}: it must be host or host:port, "
                    "IPv6 addresses in brackets"
                )
            elif (host, number_of_port) in seen:
                faults.append(f"{variable} names {item} twice")
            seen.add((host, number_of_port))
            nodes.append(
                Node(cluster="", shard=number, replica=replica, host=host, port=number_of_port)
            )
        found.append(Shard(number=number, nodes=tuple(nodes)))
    if faults:
        raise ConfigurationError(*faults)
    return tuple(found)


def order(replicas: Mapping[Node, Health]) -> tuple[Node, ...]:
    """The replicas that can be read, best first: those that lack least.

    One that lost its Keeper comes last, as what it lacks is unknown. Of equal ones the highest
    number is first: writers tend to take the lowest.
    """
    return tuple(
        sorted(
            (node for node, health in replicas.items() if health.reachable),
            key=lambda node: (
                replicas[node].is_stale,
                replicas[node].queue,
                replicas[node].delay,
                -node.replica,
            ),
        )
    )


def full_name(host: str, *, entry: str) -> str:
    """A host as it is called outside of its namespace, given the name of the entry point's Service.

    Operators give servers short names; what has a dot, is an address or localhost stays.
    """
    inside = _ENTRY.fullmatch(entry)
    if inside is None or "." in host or _is_address(host) or host == "localhost":
        return host
    return f"{host}{inside['suffix']}"


def _by_itself(clusters: Mapping[str, list[Node]], macro: str) -> str | None:
    real = [name for name, nodes in clusters.items() if not _is_this_host(nodes)]
    if macro in real:
        return macro
    usable = [name for name in real if not name.startswith((*_GENERATED, *_EXAMPLES))]
    # A server may know clusters that it is no part of.
    own = [name for name in usable if any(node.is_local for node in clusters[name])]
    if len(own) == len(usable) == 1:
        return own[0]
    hosts = {node.host for name in usable for node in clusters[name]}
    if _DEFAULT in own and hosts == {node.host for node in clusters[_DEFAULT]}:
        return _DEFAULT
    # Of examples alone none is meant, unless they are somebody's servers after all.
    several = any(
        len(nodes) > 1 and not all(_is_loopback(node.host) for node in nodes)
        for nodes in clusters.values()
    )
    if usable or several:
        raise SourceRefusedError(
            "the server knows several clusters, or none that is surely meant: say by the "
            f"annotation cluster which of them is to be dumped: {_list(clusters)}"
        )
    return None


def _is_this_host(nodes: list[Node]) -> bool:
    """Whether a cluster is but one server under its own name for itself, as in stock config.xml."""
    return len(nodes) == 1 and _is_loopback(nodes[0].host)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_bad(host: str) -> bool:
    """Whether brackets hold no address."""
    return host.startswith("[") and not _is_address(host.strip("[]"))


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "it knows none"
