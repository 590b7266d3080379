"""MySQL and MariaDB."""

from dumpers.contract.engine_spec import (
    Credential,
    DumperImage,
    EngineSpec,
    Login,
    Role,
    TextOption,
)
from dumpers.engines.mysql.drill.server import SERVER
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, PARALLELISM, TABLES

MYSQLDUMP_OPTIONS = TextOption(
    key="mysqldump-options",
    variable="MYSQLDUMP_OPTIONS",
    help="Further options of `mysqldump` or `mariadb-dump`, in the words of a shell.",
    wanted="options of mysqldump",
)
PER_TABLE = TextOption(
    key="per-table",
    variable="KSNAPSHOT_PER_TABLE",
    help="`true` stores one object per table, all of one moment.",
    wanted="true or false",
    pattern="true|false",
)

SPEC = EngineSpec(
    type="mysql",
    title="MySQL and MariaDB",
    prefix="MYSQL",
    port=3306,
    credentials=(
        Credential(
            role=Role.USERNAME,
            variable="MYSQL_USERNAME",
            required=True,
            fallbacks=("MYSQL_USER",),
        ),
        Credential(role=Role.PASSWORD, variable="MYSQL_PASSWORD"),
        Credential(
            role=Role.DATABASE,
            variable="MYSQL_DATABASE",
            required=True,
            unless=DATABASES.variable,
        ),
    ),
    # Both images' names; Bitnami's are the same, and add the root users'. Where both are set,
    # MySQL's count, as they did in 0.6.0.
    logins=(
        Login(
            username=("MYSQL_USER", "MARIADB_USER"),
            password=("MYSQL_PASSWORD", "MARIADB_PASSWORD"),
            sign=Role.USERNAME,
        ),
        Login(
            username=("MYSQL_ROOT_USER", "MARIADB_ROOT_USER"),
            password=("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"),
            sign=Role.PASSWORD,
            default="root",
            empty=("MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"),
        ),
    ),
    databases=("MYSQL_DATABASE", "MARIADB_DATABASE"),
    marks=("MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"),
    options=("MYSQLDUMP_EXCLUDED_TABLES", "MYSQLDUMP_TABLES"),
    texts=(DATABASES, TABLES, EXCLUDE_TABLES, PER_TABLE, PARALLELISM, MYSQLDUMP_OPTIONS),
    has_replicas=True,
    server_images=(
        r"(percona-server-)?mysql(-server|-galera|-community-server)?|community-server|enterprise-server"
        r"|mariadb(-galera|-enterprise-server)?|percona(-server|-xtradb-cluster)?(-\d[\d.]*)?"
    ),
    drill_server=SERVER,
    takes_checks=True,
    images=(
        DumperImage(
            versions=("8", "8.0", "8.4", "9"),
            setting="MYSQL_DUMPER_IMAGE_8",
            chart="dumperImages.mysql.v8",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-mysql-8",
        ),
        DumperImage(
            versions=("5.7",),
            setting="MYSQL_DUMPER_IMAGE_5_7",
            chart="dumperImages.mysql.v5_7",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-mysql-5.7",
        ),
    ),
)
