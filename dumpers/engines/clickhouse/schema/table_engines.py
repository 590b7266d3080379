"""Which parts of a table are saved, by its engine."""

from collections.abc import Mapping
from enum import StrEnum


class TableTreatment(StrEnum):
    """Which parts of a table are saved.

    DATA and VIEW_WITH_DATA, a materialized view with a table of its own, are read by their names
    and loaded by them. INNER, such a view's own table, and SKIPPED are not saved at all.
    """

    DATA = "data"
    SCHEMA = "schema"
    VIEW_WITH_DATA = "view with data"
    INNER = "inner"
    SKIPPED = "skipped"


# MergeTree's family is not in it: it goes by the ends of names. What is in neither has its schema
# saved and is told: reading may have effects, as it takes rows out of a queue.
ROWS_MISSING = "its rows are NOT in this dump: "
_UNKNOWN = f"{ROWS_MISSING}its engine is not known to this version, so only its schema is saved"
ENGINES: Mapping[str, tuple[TableTreatment, str]] = {
    **dict.fromkeys(
        ("Log", "TinyLog", "StripeLog", "Memory", "Join", "SharedJoin", "EmbeddedRocksDB"),
        (TableTreatment.DATA, ""),
    ),
    # Nothing of their own, or rows that lie with another system.
    **dict.fromkeys(
        (
            *("View", "LiveView", "MaterializedView", "Dictionary", "Distributed", "Merge"),
            *("Alias", "Loop", "Null", "GenerateRandom", "FuzzJSON", "FuzzQuery", "Executable"),
            *("ExecutablePool", "URL", "S3", "GCS", "OSS", "COSN", "HDFS", "AzureBlobStorage"),
            *("Hive", "MySQL", "PostgreSQL", "MaterializedPostgreSQL", "MongoDB", "Redis"),
            *("JDBC", "ODBC", "ExternalDistributed", "Remote", "RemoteSecure", "YTsaurus"),
            *("BigQuery", "ArrowFlight", "Kafka", "RabbitMQ", "NATS", "S3Queue", "AzureQueue"),
            *("FileLog", "Hudi", "DeltaLake", "DeltaLakeS3", "DeltaLakeAzure", "Iceberg"),
            *("IcebergS3", "IcebergAzure", "IcebergHDFS", "Paimon", "PaimonS3", "PaimonAzure"),
            *("PaimonHDFS",),
        ),
        (TableTreatment.SCHEMA, ""),
    ),
    **dict.fromkeys(
        ("Set", "SharedSet"),
        (TableTreatment.SCHEMA, f"{ROWS_MISSING}no server lets the rows of a Set be read"),
    ),
    "Buffer": (
        TableTreatment.SCHEMA,
        "rows that it has not flushed yet are NOT in this dump: OPTIMIZE TABLE flushes them",
    ),
    **dict.fromkeys(
        ("File", "SQLite", "DeltaLakeLocal", "IcebergLocal", "PaimonLocal"),
        (
            TableTreatment.SCHEMA,
            f"{ROWS_MISSING}they lie in files of the server that others may write",
        ),
    ),
    "KeeperMap": (TableTreatment.SCHEMA, f"{ROWS_MISSING}they lie in Keeper"),
    **dict.fromkeys(
        ("TimeSeries", "WindowView"),
        (TableTreatment.SCHEMA, f"{ROWS_MISSING}they lie in tables that no restore can load"),
    ),
}


def by_engine(engine: str) -> tuple[TableTreatment, list[str]]:
    """Return which parts of a table of this engine are saved, with notes."""
    if engine.endswith("MergeTree"):
        return TableTreatment.DATA, []
    kind, note = ENGINES.get(engine, (TableTreatment.SCHEMA, _UNKNOWN))
    return kind, [note] if note else []


def is_replicated(engine: str) -> bool:
    """Whether an engine keeps the same rows on all replicas of a shard."""
    return engine.startswith(("Replicated", "Shared"))
