"""What the configuration files of ClickHouse test servers say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from tests.testbed.databases.clickhouse_http import Login

CLUSTER = "main"
_JARS = ("zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-simple", "metrics-core", "snappy-java")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who may do less: a user, or what becomes of the newest engine's only one."""

    login: Login
    profile: str = "<readonly>2</readonly>"
    """What the settings profile says, as XML."""
    filters: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The conditions on the rows that it sees, by database and table."""
    grants: Sequence[str] = ()
    """The statements that allow something; releases without grants know none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What every server of a cluster is told of it."""

    hosts: Sequence[Sequence[str]]
    """The addresses of each shard's replicas."""
    http_port: int
    tcp_port: int
    interserver_port: int
    zookeeper_port: int
    admin: Login
    reader: Login
    zookeeper_host: str = "127.0.0.1"
    clients: str = "127.0.0.0/8"
    """The network that users come from."""
    accounts: Sequence[Account] = ()
    """Users besides."""


def zookeeper(folder: str, port: int, host: str = "127.0.0.1") -> str:
    """A lone ZooKeeper."""
    # The shortest session is two ticks, the longest twenty.
    return (
        f"tickTime=500\ndataDir={folder}\nclientPort={port}\nclientPortAddress={host}\n"
        "admin.enableServer=false\n"
    )


def zookeeper_options(jars: str) -> list[str]:
    """What Java is told before the configuration file, given the folder of Debian's jars."""
    found = ":".join(f"{jars}/{name}.jar" for name in _JARS)
    # It is small, short-lived, and its data goes with it.
    java = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no"]
    java += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", found]
    return [*java, "org.apache.zookeeper.server.quorum.QuorumPeerMain"]


def server(layout: Layout, folder: str, shard: int, replica: int) -> str:
    """One replica's config.xml; shards and replicas are counted from 1.

    A session that ended without a word is over after seconds, so that a killed replica soon gets
    its own place again.
    """
    host = layout.hosts[shard - 1][replica - 1]
    return f"""<?xml version="1.0"?>
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>{host}</listen_host>
  <http_port>{layout.http_port}</http_port>
  <tcp_port>{layout.tcp_port}</tcp_port>
  <interserver_http_host>{host}</interserver_http_host>
  <interserver_http_port>{layout.interserver_port}</interserver_http_port>
  <path>{folder}/data/</path>
  <tmp_path>{folder}/tmp/</tmp_path>
  <user_files_path>{folder}/user_files/</user_files_path>
  <format_schema_path>{folder}/format_schemas/</format_schema_path>
  <users_config>users.xml</users_config>
  <dictionaries_config>{folder}/*_dictionary.xml</dictionaries_config>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
  {cluster(layout.hosts, layout.tcp_port, layout.admin)}
  {macros(shard, replica)}
  {query_log("query_log")}
  <zookeeper>
    <node><host>{layout.zookeeper_host}</host><port>{layout.zookeeper_port}</port></node>
    <session_timeout_ms>6000</session_timeout_ms>
  </zookeeper>
  <merge_tree>
    <zookeeper_session_expiration_check_period>1</zookeeper_session_expiration_check_period>
  </merge_tree>
</yandex>
"""


def users(layout: Layout) -> str:
    """users.xml: one who may do everything, one who may only read and change settings, others."""
    others = [(f"other{number}", one) for number, one in enumerate(layout.accounts)]
    profiles = "".join(f"<{name}>{one.profile}</{name}>" for name, one in others)
    accounts = "".join(
        _user(one.login, name, layout.clients, _filters(one)) for name, one in others
    )
    return f"""<?xml version="1.0"?>
<yandex>
  <profiles><default/><reader><readonly>2</readonly></reader>{profiles}</profiles>
  <quotas><default/></quotas>
  <users>
    {_user(layout.admin, "default", layout.clients)}
    {_user(layout.reader, "reader", layout.clients)}
    {accounts}
  </users>
</yandex>
"""


def newest(
    hosts: Sequence[str],
    shard: int,
    tcp_port: int,
    query_log_table: str,
    account: Account | None = None,
    marks: Mapping[str, str] | None = None,
) -> str:
    """What the newest engine is told: of its query log, its cluster if any, its user's rights.

    Without an `account` its user may do everything. `marks` are its macros where it is of none.
    """
    rights = """<access_management>1</access_management>
    <named_collection_control>1</named_collection_control>"""
    if account is not None:
        grants = "".join(f"<query>{escape(grant)}</query>" for grant in account.grants)
        rights = f"<grants>{grants}</grants>{_filters(account)}"
    known = ""
    if hosts:
        known = cluster([[host] for host in hosts], tcp_port) + macros(shard, 1)
    elif marks:
        known = "".join(f"<{name}>{value}</{name}>" for name, value in marks.items())
        known = f"<macros>{known}</macros>"
    # Who may do what is the engine's to know; who it is, the front has asked already.
    return f"""<clickhouse>
  {query_log(query_log_table)}{known}
  <profiles><default>{account.profile if account else ""}</default></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/><networks><ip>::/0</ip></networks>
    <profile>default</profile><quota>default</quota>
    {rights}
  </default></users>
</clickhouse>
"""


def cluster(hosts: Sequence[Sequence[str]], tcp_port: int, login: Login | None = None) -> str:
    """The cluster by its shards' hosts, and as whom a server asks the others."""
    who = f"<user>{login.user}</user><password>{login.password}</password>" if login else ""
    shards = "".join(
        "<shard><internal_replication>true</internal_replication>"
        + "".join(
            f"<replica><host>{host}</host><port>{tcp_port}</port>{who}</replica>"
            for host in of_shard
        )
        + "</shard>"
        for of_shard in hosts
    )
    return f"<remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers>"


def macros(shard: int, replica: int) -> str:
    """Who a server is."""
    return (
        f"<macros><cluster>{CLUSTER}</cluster>"
        f"<shard>{shard}</shard><replica>r{replica}</replica></macros>"
    )


def query_log(table: str) -> str:
    """A query log that keeps nobody waiting."""
    return (
        f"<query_log><database>system</database><table>{table}</table>"
        "<flush_interval_milliseconds>1000</flush_interval_milliseconds></query_log>"
    )


def _filters(account: Account) -> str:
    found = "".join(
        f"<{database}><{table}><filter>{escape(condition)}</filter></{table}></{database}>"
        for (database, table), condition in account.filters.items()
    )
    return f"<databases>{found}</databases>" if found else ""


def _user(login: Login, profile: str, clients: str, more: str = "") -> str:
    return (
        f"<{login.user}><password>{login.password}</password>"
        f"<networks><ip>{clients}</ip></networks>"
        f"<profile>{profile}</profile><quota>default</quota>{more}</{login.user}>"
    )
