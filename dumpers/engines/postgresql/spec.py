"""PostgreSQL."""

from dumpers.contract.engine_spec import (
    Credential,
    DumperImage,
    EngineSpec,
    GroupLabel,
    Login,
    Role,
    TextOption,
)
from dumpers.engines.postgresql.drill.server import SERVER
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, PARALLELISM, TABLES

_NAMES = "names or patterns as pg_dump takes them, separated by commas"
SCHEMAS = TextOption(
    key="schemas",
    variable="KSNAPSHOT_SCHEMAS",
    help="The schemas to dump, separated by commas, instead of all.",
    wanted=_NAMES,
)
EXCLUDE_SCHEMAS = TextOption(
    key="exclude-schemas",
    variable="KSNAPSHOT_EXCLUDE_SCHEMAS",
    help="Schemas to leave out, separated by commas.",
    wanted=_NAMES,
)
FORMAT = TextOption(
    key="format",
    variable="KSNAPSHOT_FORMAT",
    help="`plain` SQL, or pg_dump's `custom` format for `pg_restore`.",
    wanted="plain or custom",
    pattern="plain|custom",
)
GLOBALS = TextOption(
    key="globals",
    variable="KSNAPSHOT_GLOBALS",
    help="`false` leaves out the second object with the server's roles and tablespaces.",
    wanted="true or false",
    pattern="true|false",
)
PG_DUMP_OPTIONS = TextOption(
    key="pg-dump-options",
    variable="PG_DUMP_OPTIONS",
    help="Further options of `pg_dump`, in the words of a shell.",
    wanted="options of pg_dump",
)

SPEC = EngineSpec(
    type="postgresql",
    title="PostgreSQL",
    prefix="POSTGRESQL",
    port=5432,
    credentials=(
        Credential(
            role=Role.USERNAME,
            variable="POSTGRESQL_USERNAME",
            required=True,
            fallbacks=("POSTGRES_USER",),
        ),
        Credential(
            role=Role.PASSWORD,
            variable="POSTGRESQL_PASSWORD",
            required=True,
            fallbacks=("POSTGRES_PASSWORD",),
        ),
        Credential(
            role=Role.DATABASE,
            variable="POSTGRESQL_DATABASE",
            required=True,
            fallbacks=("POSTGRES_DB",),
        ),
    ),
    # The official image's names, then Bitnami's (which take them too) and Red Hat's.
    logins=(
        Login(
            username=(
                "POSTGRES_USER",
                "POSTGRESQL_USERNAME",
                "POSTGRES_USERNAME",
                "POSTGRESQL_USER",
            ),
            password=("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD"),
            sign=Role.PASSWORD,
            default="postgres",
        ),
        Login(
            username=(),
            password=(
                "POSTGRESQL_POSTGRES_PASSWORD",
                "POSTGRES_POSTGRES_PASSWORD",
                "POSTGRESQL_ADMIN_PASSWORD",
            ),
            sign=Role.PASSWORD,
            default="postgres",
        ),
    ),
    # Bitnami's images would take `postgres` where none is set. A dump of the wrong database looks
    # like a good one, and a database that does not exist is told at once: so one rule for all.
    databases=("POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_DATABASE"),
    database_is_user=True,
    marks=("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"),
    texts=(
        DATABASES,
        TABLES,
        EXCLUDE_TABLES,
        SCHEMAS,
        EXCLUDE_SCHEMAS,
        FORMAT,
        GLOBALS,
        PARALLELISM,
        PG_DUMP_OPTIONS,
    ),
    # Crunchy's and Percona's operators make a StatefulSet of each instance. They hand annotations
    # to poolers and repository hosts, too.
    group_labels=(
        GroupLabel(
            key="postgres-operator.crunchydata.com/cluster",
            marks=(("postgres-operator.crunchydata.com/data", "postgres"),),
        ),
        # Only Zalando's poolers have it, and get the annotations of the database's pods.
        GroupLabel(key="connection-pooler", marks=(("application", "spilo"),)),
    ),
    has_replicas=True,
    server_images=(
        r"postgres(ql)?(-repmgr|-ha)?|postgis|timescaledb(-ha)?|pgvector|spilo(-\d+)?"
        r"|crunchy-postgres(-gis)?(-ha)?|percona-(distribution-)?postgresql(-\d+)?"
    ),
    drill_server=SERVER,
    takes_checks=True,
    restores_by_sessions=True,
    images=(
        DumperImage(
            versions=("16", "13", "14", "15", "17", "18"),
            setting="POSTGRESQL_DUMPER_IMAGE_16",
            chart="dumperImages.postgresql.v16",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-postgresql-16",
        ),
    ),
)
