"""How an image with MySQL or MariaDB runs a throwaway server."""

from dumpers.contract.drill.server import ThrowawayServer

LOGIN = "ksnapshot_drill"

_SCRIPT = rf"""set -eu
umask 077
data=/drill/data
PATH=$PATH:/usr/sbin:/usr/libexec:/opt/bitnami/mysql/bin:/opt/bitnami/mariadb/bin
PATH=$PATH:/opt/bitnami/mariadb/sbin:/opt/bitnami/mariadb/scripts:/usr/local/mysql/bin
export PATH TZ=UTC
unset MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_PWD MYSQL_HOME
server=$(command -v mariadbd || command -v mysqld || true)
if [ -z "$server" ]; then
  echo "this image has no server: neither mariadbd nor mysqld is in it" >&2
  exit 1
fi
rm -rf "$data" /drill/tmp
mkdir /drill/tmp
export TMPDIR=/drill/tmp
printf '%s\n' "CREATE USER IF NOT EXISTS {LOGIN}@'127.0.0.1' IDENTIFIED BY '';" \
  "GRANT ALL PRIVILEGES ON *.* TO {LOGIN}@'127.0.0.1' WITH GRANT OPTION;" >/drill/init.sql
own=
if "$server" --no-defaults --version | grep -qi mariadb; then
  install=$(command -v mariadb-install-db || command -v mysql_install_db)
  "$install" --no-defaults --datadir="$data" --tmpdir=/drill/tmp --skip-test-db \
    --auth-root-authentication-method=normal --skip-name-resolve
else
  own=--secure-file-priv=NULL
  "$server" --no-defaults $own --initialize-insecure --datadir="$data" --tmpdir=/drill/tmp
fi
exec "$server" --no-defaults $own --datadir="$data" --tmpdir=/drill/tmp \
  --bind-address=127.0.0.1 --port=3306 --socket=/drill/server.sock --pid-file=/drill/server.pid \
  --skip-name-resolve --init-file=/drill/init.sql --max-connections=30 \
  --max-allowed-packet=1G --event-scheduler=OFF --skip-log-bin --performance-schema=OFF \
  --loose-mysqlx=OFF --loose-log-bin-trust-function-creators=1 --innodb-strict-mode=OFF \
  --innodb-flush-log-at-trx-commit=0 --loose-innodb-doublewrite=OFF \
  --loose-innodb-use-native-aio=OFF --lower-case-table-names=0
"""
SERVER = ThrowawayServer(script=_SCRIPT, user=LOGIN)
