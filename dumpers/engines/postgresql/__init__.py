"""PostgreSQL."""

from dumpers.engines.facts import Credential, DumperImage, EngineFacts, Role

FACTS = EngineFacts(
    type="postgresql",
    title="PostgreSQL",
    prefix="POSTGRESQL",
    port=5432,
    credentials=(
        Credential(
            role=Role.USERNAME,
            variable="POSTGRESQL_USERNAME",
            sources=("POSTGRES_USER",),
            required=True,
        ),
        Credential(
            role=Role.PASSWORD,
            variable="POSTGRESQL_PASSWORD",
            sources=("POSTGRES_PASSWORD",),
            required=True,
        ),
        Credential(
            role=Role.DATABASE,
            variable="POSTGRESQL_DATABASE",
            sources=("POSTGRES_DB",),
            required=True,
        ),
    ),
    options=("PG_DUMP_OPTIONS",),
    images=(
        DumperImage(
            version="16",
            setting="POSTGRESQL_DUMPER_IMAGE_16",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-postgresql-16",
        ),
    ),
)
