"""How a server's image is made to run an empty server for a drill.

No row may change between load and comparison: parts are never merged, so that rows of Replacing,
Summing and Collapsing tables stay apart and rows past their TTL stay, and there may be as many
parts as there have to be. There is no Keeper: replicated tables are made plain (see stand_ins).
"""

from dumpers.contract.drill.server import DRILL_FOLDER, ThrowawayServer

# Merged into the server's configuration. Servers read it anew where they are told to.
MORE_CONFIG = "config.d/drill.xml"
# The account that the drill logs in as, which every server has.
USER = "default"
# That of a user's own checks, which reads and does nothing else.
CHECK_USER = "ksnapshot_check"
# The macros by which the drill knows that a server is its own.
MARKS = {"cluster": "drill", "replica": "drill"}
_SCRIPT = r"""
set -eu
umask 022
folder=FOLDER
PATH="$PATH:/usr/bin:/usr/sbin:/opt/bitnami/clickhouse/bin"
if command -v clickhouse-server >/dev/null; then
  set -- clickhouse-server
elif command -v clickhouse >/dev/null; then
  set -- clickhouse server
else
  echo "this image has no clickhouse-server" >&2
  exit 127
fi
# Old servers do not know the question.
said=$("$@" --version 2>/dev/null) || said='version 18.'
said=${said#*version }
release=${said%%.*}
case $release in *[!0-9]*|'') echo "no release in: $said" >&2; exit 1;; esac
newer=''
# Old servers refuse settings of tables that they do not know.
if [ "$release" -ge 21 ]; then
  newer='<max_number_of_merges_with_ttl_in_pool>0</max_number_of_merges_with_ttl_in_pool>
    <max_parts_in_total>1000000000</max_parts_in_total>'
fi
mkdir -p $folder/data $folder/tmp $folder/files $folder/schemas $folder/scripts $folder/access
# The client, which may run as another user, writes there.
mkdir -p -m 0777 $folder/config.d
chmod 0777 $folder/config.d
cat >$folder/users.xml <<END
<yandex>
  <profiles><default/><CHECK_USER>
    <readonly>1</readonly>
    <max_execution_time>600</max_execution_time>
    <timeout_overflow_mode>throw</timeout_overflow_mode>
    <max_result_rows>1000000</max_result_rows>
    <max_result_bytes>67108864</max_result_bytes>
    <result_overflow_mode>throw</result_overflow_mode>
  </CHECK_USER></profiles>
  <quotas><default/></quotas>
  <users><default>
    <password/>
    <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <access_management>1</access_management>
    <named_collection_control>1</named_collection_control>
    <show_named_collections>1</show_named_collections>
    <show_named_collections_secrets>1</show_named_collections_secrets>
  </default><CHECK_USER>
    <password/>
    <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
    <profile>CHECK_USER</profile>
    <quota>default</quota>
  </CHECK_USER></users>
</yandex>
END
cat >$folder/config.xml <<END
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>8123</http_port>
  <tcp_port>9000</tcp_port>
  <interserver_http_host>127.0.0.1</interserver_http_host>
  <interserver_http_port>9009</interserver_http_port>
  <path>$folder/data/</path>
  <tmp_path>$folder/tmp/</tmp_path>
  <user_files_path>$folder/files/</user_files_path>
  <format_schema_path>$folder/schemas/</format_schema_path>
  <user_scripts_path>$folder/scripts/</user_scripts_path>
  <users_config>$folder/users.xml</users_config>
  <user_directories>
    <users_xml><path>$folder/users.xml</path></users_xml>
    <local_directory><path>$folder/access/</path></local_directory>
  </user_directories>
  <access_control_path>$folder/access/</access_control_path>
  <default_profile>default</default_profile>
  <default_database>default</default_database>
  <timezone>UTC</timezone>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <display_secrets_in_show_and_select>1</display_secrets_in_show_and_select>
  <max_table_size_to_drop>0</max_table_size_to_drop>
  <max_partition_size_to_drop>0</max_partition_size_to_drop>
  <access_control_improvements>
    <users_without_row_policies_can_read_rows>true</users_without_row_policies_can_read_rows>
  </access_control_improvements>
  <macros><cluster>drill</cluster><shard>1</shard><replica>drill</replica></macros>
  <remote_servers><drill><shard><replica>
    <host>127.0.0.1</host><port>9000</port>
  </replica></shard></drill></remote_servers>
  <merge_tree>
    <max_bytes_to_merge_at_max_space_in_pool>1</max_bytes_to_merge_at_max_space_in_pool>
    <max_bytes_to_merge_at_min_space_in_pool>1</max_bytes_to_merge_at_min_space_in_pool>
    <parts_to_delay_insert>1000000000</parts_to_delay_insert>
    <parts_to_throw_insert>1000000000</parts_to_throw_insert>
    $newer
  </merge_tree>
</yandex>
END
export CLICKHOUSE_WATCHDOG_ENABLE=0
exec "$@" --config-file=$folder/config.xml
"""
DRILL_SERVER = ThrowawayServer(
    script=_SCRIPT.replace("FOLDER", DRILL_FOLDER).replace("CHECK_USER", CHECK_USER), user=USER
)
