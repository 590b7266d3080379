"""ClickHouse."""

from dumpers.engines.facts import Credential, DumperImage, EngineFacts, Login, Role

FACTS = EngineFacts(
    type="clickhouse",
    title="ClickHouse",
    prefix="CLICKHOUSE",
    port=8123,
    credentials=(
        Credential(role=Role.USERNAME, variable="CLICKHOUSE_USERNAME"),
        Credential(role=Role.PASSWORD, variable="CLICKHOUSE_PASSWORD"),
        Credential(role=Role.DATABASE, variable="CLICKHOUSE_DATABASE"),
    ),
    # Bitnami's images prefer names of their own to the official image's.
    logins=(
        Login(
            username=("CLICKHOUSE_ADMIN_USER", "CLICKHOUSE_USER"),
            password=("CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_PASSWORD"),
            sign=Role.USERNAME,
        ),
        Login(
            username=(),
            password=("CLICKHOUSE_ADMIN_PASSWORD", "CLICKHOUSE_PASSWORD"),
            sign=Role.PASSWORD,
            default="default",
        ),
    ),
    databases=("CLICKHOUSE_DB",),
    # Altinity's operator makes one StatefulSet per replica.
    group_label="clickhouse.altinity.com/chi",
    images=(
        DumperImage(
            versions=(),
            setting="CLICKHOUSE_DUMPER_IMAGE",
            chart="dumperImages.clickhouse",
            repository="ghcr.io/clickandmortar/ksnapshot-dumper-clickhouse",
        ),
    ),
)
