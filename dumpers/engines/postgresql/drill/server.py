"""How an image with PostgreSQL runs a throwaway server."""

from dumpers.contract.drill.server import ThrowawayServer

# No role of anybody's: those of a backup are restored beside it.
LOGIN = "ksnapshot_drill"
# The superuser that the server is made with; it gets the name of the dumped server's one.
FIRST_ROLE = "ksnapshot_first"
# Every server has it, and no backup replaces it.
DATABASE = "template1"

_SCRIPT = rf"""set -eu
umask 077
data=/drill/data
bin=
find_server() {{
  for folder in "$@"; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then bin=$folder; fi
  done
}}
# The newest of those that there are, then what the image itself says.
find_server /usr/lib/postgresql/?/bin /usr/lib/postgresql/??/bin /usr/pgsql-?/bin \
  /usr/pgsql-??/bin /usr/libexec/postgresql?? /usr/local/pgsql/bin /opt/bitnami/postgresql/bin
for major in "${{PGVERSION:-}}" "${{PG_MAJOR:-}}"; do
  find_server "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin"
done
if initdb=$(command -v initdb); then
  find_server "$(dirname "$(readlink -f "$initdb")")" "$(dirname "$initdb")"
fi
if [ -z "$bin" ]; then
  echo "this image has no PostgreSQL server: neither initdb nor postgres is in it" >&2
  exit 1
fi
export LC_ALL=C TZ=UTC
unset PGDATA PGUSER PGDATABASE PGHOST PGPORT PGOPTIONS
rm -rf "$data"
"$bin/initdb" --pgdata="$data" --username={FIRST_ROLE} --auth=trust --no-sync --encoding=UTF8 \
  --locale=C
echo 'CREATE ROLE {LOGIN} SUPERUSER LOGIN' |
  "$bin/postgres" --single -D "$data" -c fsync=off {DATABASE} >/dev/null
# Libraries that an extension needs from the start on, where the image has them.
libraries=
for library in citus timescaledb pg_stat_statements pgaudit pg_cron pglogical pg_search vchord; do
  for folder in "$bin/../lib" "$bin/../lib/postgresql" "$bin/../lib/pgsql" \
    "$("$bin/pg_config" --pkglibdir 2>/dev/null || echo /nowhere)"; do
    if [ -e "$folder/$library.so" ]; then
      libraries=${{libraries:+$libraries,}}$library
      break
    fi
  done
done
exec "$bin/postgres" -D "$data" -c listen_addresses=127.0.0.1 -c port=5432 \
  -c unix_socket_directories= -c max_connections=20 -c max_locks_per_transaction=2048 \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_level=minimal \
  -c max_wal_senders=0 -c max_wal_size=256MB -c autovacuum=off -c jit=off \
  -c max_logical_replication_workers=0 -c max_prepared_transactions=0 -c ssl=off \
  -c shared_preload_libraries="$libraries" -c cron.launch_active_jobs=off \
  -c cron.database_name=template1 \
  -c timescaledb.max_background_workers=0 -c timescaledb.telemetry_level=off \
  -c logging_collector=off -c log_destination=stderr -c log_error_verbosity=terse \
  -c log_min_error_statement=panic
"""
SERVER = ThrowawayServer(script=_SCRIPT, user=LOGIN, database=DATABASE)
