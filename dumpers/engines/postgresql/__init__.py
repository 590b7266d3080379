"""PostgreSQL."""

from dumpers.engines.facts import Credential, DumperImage, EngineFacts, Login, Role

FACTS = EngineFacts(
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
    options=("PG_DUMP_OPTIONS",),
    images=(
        DumperImage(
            versions=("16", "13", "14", "15", "17", "18"),
            setting="POSTGRESQL_DUMPER_IMAGE_16",
            chart="dumperImages.postgresql.v16",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-postgresql-16",
        ),
    ),
)
