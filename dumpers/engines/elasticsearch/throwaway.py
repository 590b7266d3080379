"""How an image with Elasticsearch or OpenSearch is made to run one empty node for a drill.

Settings that a release or a distribution does not know keep it from starting, so each is written
only where the programs that know it are there.
"""

from dumpers.contract.drill.server import DRILL_FOLDER, ThrowawayServer

# The name of its cluster, by which the drill knows that a node is its own.
CLUSTER = "drill"
_SCRIPT = r"""
set -eu
umask 022
folder=FOLDER
found=''
for home in /usr/share/elasticsearch /usr/share/opensearch /opt/bitnami/elasticsearch \
  /opt/bitnami/opensearch; do
  for name in elasticsearch opensearch; do
    if [ -x "$home/bin/$name" ]; then found="$home/bin/$name"; break 2; fi
  done
done
if [ -z "$found" ]; then
  echo 'this image has neither elasticsearch nor opensearch' >&2
  exit 127
fi
release=''
for jar in "$home/lib/$name"-[0-9]*.jar; do
  release=${jar##*/"$name"-}
done
major=${release%%.*}
rest=${release#*.}
minor=${rest%%.*}
case $major$minor in
  *[!0-9]*|'') echo "no release of $name in $home/lib" >&2; exit 1;;
esac

mkdir -p "$folder/config" "$folder/data" "$folder/logs" "$folder/tmp"
# Analyzers read files of it. Some images let their own user alone read it, or their login.
cp -r "$home/config/." "$folder/config/" || echo "left out: what cannot be read of config" >&2
rm -rf "$folder/config/$name.keystore" "$folder/config/$name.yml"
# Java writes these logs below its programs, where nothing may be written.
if [ -r "$home/config/jvm.options" ]; then
  grep -v -e 'logs/' -e 'HeapDump' "$home/config/jvm.options" >"$folder/config/jvm.options" || true
fi
# Without these two, no release starts.
if [ ! -s "$folder/config/jvm.options" ]; then
  {
    echo "-Djava.io.tmpdir=$folder/tmp"
    if [ -f "$home/agent/opensearch-agent.jar" ]; then
      echo '21-:-javaagent:agent/opensearch-agent.jar'
      echo '21-:--add-opens=java.base/java.nio=ALL-UNNAMED'
    elif [ "$name" = opensearch ]; then
      echo '18-23:-Djava.security.manager=allow'
    fi
  } >"$folder/config/jvm.options"
fi
if [ ! -s "$folder/config/log4j2.properties" ]; then
  cat >"$folder/config/log4j2.properties" <<'END'
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
END
fi
{
  echo 'cluster.name: CLUSTER'
  echo 'node.name: drill'
  echo "path.data: $folder/data"
  echo "path.logs: $folder/logs"
  echo 'network.host: 127.0.0.1'
  echo 'http.port: 9200'
  echo 'http.max_content_length: 300mb'
  echo 'discovery.type: single-node'
  # Else the kernel has to allow more maps than it mostly does.
  echo 'node.store.allow_mmap: false'
  echo 'cluster.routing.allocation.disk.threshold_enabled: false'
  if [ -d "$home/modules/x-pack-security" ]; then echo 'xpack.security.enabled: false'; fi
  if [ -d "$home/modules/x-pack-ml" ]; then echo 'xpack.ml.enabled: false'; fi
  # It would fetch its database from elsewhere.
  if [ -d "$home/modules/ingest-geoip" ] && [ "$name" = elasticsearch ] &&
    { [ "$major" -gt 7 ] || { [ "$major" -eq 7 ] && [ "$minor" -ge 14 ]; }; }; then
    echo 'ingest.geoip.downloader.enabled: false'
  fi
  if [ -d "$home/plugins/opensearch-security" ]; then echo 'plugins.security.disabled: true'; fi
} >"$folder/config/$name.yml"

# Half of what the container may have is Java's, the rest for what the system keeps of files.
limit=''
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  if [ -r "$file" ]; then read -r limit <"$file" || true; break; fi
done
case $limit in *[!0-9]*|'') limit=2147483648;; esac
heap=$((limit / 2097152))
# An old kernel says a huge number where there is no limit.
if [ "$heap" -gt 1048576 ]; then heap=1024; fi
if [ "$heap" -gt 8192 ]; then heap=8192; fi
if [ "$heap" -lt 256 ]; then heap=256; fi
export ES_PATH_CONF="$folder/config" OPENSEARCH_PATH_CONF="$folder/config"
export ES_TMPDIR="$folder/tmp" OPENSEARCH_TMPDIR="$folder/tmp" HOME="$folder/tmp"
export ES_JAVA_OPTS="-Xms${heap}m -Xmx${heap}m" OPENSEARCH_JAVA_OPTS="-Xms${heap}m -Xmx${heap}m"
cd "$folder"
exec "$found"
"""
# There is no login: without its security, no release asks for one.
DRILL_SERVER = ThrowawayServer(
    script=_SCRIPT.replace("FOLDER", DRILL_FOLDER).replace("CLUSTER", CLUSTER), user=""
)
