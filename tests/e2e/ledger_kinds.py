"""Kinds of servers for ledgers: how each is started, filled, looked at, and dumped."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.demo import images

DATABASE = "ledger"
_ROWS, _ENTRIES = 500, 400_000
# Of a server that loads them faster.
_MANY = 2_000_000
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

    `start` is a shell's script that starts it, where the image does not by itself. `marks` says
    whether a restore that is killed leaves its name on what it made, so that the command finds it.

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
    change: str = _CHANGE
    look: str
    refusals: tuple[str, ...]
    swaps: bool = True
    marks: bool = True
    start: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


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
            "no connection to the server",
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
# As its operators and most people have it: one server, its users in a file.
_CLICKHOUSE_START = """
mkdir -p /tmp/config
cat >/tmp/config/users.xml <<END
<yandex><profiles><default/></profiles><quotas><default/></quotas><users><shop>
  <password>$CLICKHOUSE_PASSWORD</password><networks><ip>::/0</ip></networks>
  <profile>default</profile><quota>default</quota>
</shop></users></yandex>
END
cat >/tmp/config/config.xml <<END
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>0.0.0.0</listen_host><http_port>8123</http_port><tcp_port>9000</tcp_port>
  <path>/data/</path><tmp_path>/data/tmp/</tmp_path>
  <user_files_path>/data/user_files/</user_files_path>
  <format_schema_path>/data/format_schemas/</format_schema_path>
  <users_config>users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <timezone>UTC</timezone><mark_cache_size>67108864</mark_cache_size>
  <query_log><database>system</database><table>query_log</table>
    <flush_interval_milliseconds>500</flush_interval_milliseconds></query_log>
</yandex>
END
exec clickhouse-server --config-file=/tmp/config/config.xml
"""
# A statement on each line; its own client would read all of them before the first.
_CLICKHOUSE_ASK = (
    'while IFS= read -r line || [ -n "$line" ]; do printf %s "$line" '
    "| curl --silent --show-error --fail-with-body --connect-timeout 5 --max-time 60 "
    '--user "shop:$PASSWORD" --data-binary @- "http://$HOST:8123/?database=$0" || exit 1; done'
)
_CLICKHOUSE_DUMP = """
for table in $(ask "SELECT name FROM system.tables WHERE database = '$0' ORDER BY name"); do
  ask "SELECT name, type FROM system.columns WHERE database = '$0' AND table = '$table'"
  ask "SELECT name, engine FROM system.tables WHERE database = '$0' AND name = '$table'"
  ask "SELECT * FROM $0.$table ORDER BY id"
done
"""
_CLICKHOUSE_TABLES = f"""\
CREATE TABLE a_first (id UInt32, state String) ENGINE = MergeTree ORDER BY id
CREATE TABLE entries (id UInt32, words String) ENGINE = MergeTree ORDER BY id
CREATE TABLE z_last (id UInt32, state String) ENGINE = MergeTree ORDER BY id
INSERT INTO a_first SELECT number, 'STATE' FROM numbers({_ROWS})
INSERT INTO entries SELECT number, concat('STATE', hex(rand64(1))) FROM numbers({{}})
INSERT INTO z_last SELECT number, 'STATE' FROM numbers({_ROWS})
"""
CLICKHOUSE = Kind(
    engine="clickhouse",
    image=images.CLICKHOUSE_SERVER,
    port=8123,
    process="clickhouse-serv",
    variables=("CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD", "CLICKHOUSE_DB"),
    start=_CLICKHOUSE_START,
    # It has no way to make a database at its start.
    ready='curl --silent --fail --user "shop:$CLICKHOUSE_PASSWORD" http://127.0.0.1:8123/ '
    f"--data 'CREATE DATABASE IF NOT EXISTS {DATABASE}'",
    client=f'env HOST="$HOST" PASSWORD="$PASSWORD" bash -c \'{_CLICKHOUSE_ASK}\'',
    dump='env HOST="$HOST" PASSWORD="$PASSWORD" bash -euo pipefail -c \''
    'ask() { clickhouse-client --host="$HOST" --user=shop --password="$PASSWORD" --query="$1"; }'
    + _CLICKHOUSE_DUMP.replace("'", "'\\''")
    + "'",
    databases="SELECT name FROM system.databases WHERE name NOT IN ('default', 'system')",
    fill=_CLICKHOUSE_TABLES.format(_MANY).replace("STATE", "old"),
    change="".join(f"DROP TABLE {name}\n" for name in ("a_first", "entries", "z_last"))
    + _CLICKHOUSE_TABLES.format(_ENTRIES).replace("STATE", "new"),
    look="SELECT concat(toString(n), ' ', low, ' ', high, ' | ', toString(zn), ' ', zlow, ' ', "
    "zhigh) FROM (SELECT count() AS n, min(state) AS low, max(state) AS high FROM a_first) "
    "CROSS JOIN (SELECT count() AS zn, min(state) AS zlow, max(state) AS zhigh FROM z_last)",
    refusals=("curl: (",),
    # This release has no statement that exchanges tables.
    swaps=False,
    marks=False,
    annotations={"databases": DATABASE},
)
KINDS = (POSTGRESQL, MARIADB, CLICKHOUSE)
