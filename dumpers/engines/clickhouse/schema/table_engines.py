"""Which parts of a table are saved, by its engine, and what a dump says about the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dumpers.contract.notes import NoteCode


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


@dataclass(frozen=True, slots=True)
class Remark:
    """What a note says of every table that it is about: its code and its sentence."""

    code: NoteCode
    text: str


FOREIGN = Remark(
    NoteCode.FOREIGN_TABLES,
    "rows that lie in other systems are not in this dump, only the statements of these tables: "
    "save the rows where they lie",
)
_QUEUE = Remark(
    NoteCode.RESTORE_NEEDS,
    "these tables take rows out of queues: a restored server does so as soon as it has their "
    "views, so keep it away from queues that another one still reads",
)
_SET = Remark(
    NoteCode.NOT_DUMPED,
    "no server lets the rows of a Set be read, so they are not in this dump: fill these tables "
    "anew after a restore",
)
_BUFFER = Remark(
    NoteCode.NOT_DUMPED,
    "rows that these Buffer tables have not passed on yet are not in this dump: OPTIMIZE TABLE "
    "passes them on",
)
FILES = Remark(
    NoteCode.NOT_DUMPED,
    "rows in files of the server, which others may write, are not in this dump: copy the files",
)
_SCRIPTS = Remark(
    NoteCode.RESTORE_NEEDS,
    "the rows of these tables come from scripts in the server's folder user_scripts, which a "
    "restored server needs, too",
)
KEEPER = Remark(
    NoteCode.NOT_DUMPED,
    "rows that lie in Keeper are not in this dump: save them by INSERT INTO … SELECT into a table "
    "of the MergeTree family",
)
_INNER_ROWS = Remark(
    NoteCode.NOT_DUMPED,
    "rows in the inner tables of these are not in this dump, as no restore could load them",
)

# MergeTree's family is not in it: it goes by the ends of names. What is in neither has its schema
# saved and is told: reading may have effects, as it takes rows out of a queue.
ENGINES: Mapping[str, tuple[TableTreatment, tuple[Remark, ...]]] = {
    **dict.fromkeys(
        ("Log", "TinyLog", "StripeLog", "Memory", "Join", "SharedJoin", "EmbeddedRocksDB"),
        (TableTreatment.DATA, ()),
    ),
    # Nothing of their own. What Distributed tables and dictionaries show is looked at elsewhere.
    **dict.fromkeys(
        (
            *("View", "LiveView", "MaterializedView", "Dictionary", "Distributed", "Merge"),
            *("Alias", "Loop", "Null", "GenerateRandom", "FuzzJSON", "FuzzQuery"),
            *("numbers()", "numbers_mt()", "zeros()", "zeros_mt()", "generateRandom()"),
            *("generate_series()", "generateSeries()", "values()", "null()", "merge()", "view()"),
            *("loop()", "dictionary()", "primes()"),
        ),
        (TableTreatment.SCHEMA, ()),
    ),
    **dict.fromkeys(("Executable", "ExecutablePool"), (TableTreatment.SCHEMA, (_SCRIPTS,))),
    **dict.fromkeys(
        (
            *("URL", "S3", "GCS", "OSS", "COSN", "HDFS", "AzureBlobStorage", "Hive", "MySQL"),
            *("PostgreSQL", "MaterializedPostgreSQL", "MongoDB", "Redis", "JDBC", "ODBC"),
            *("ExternalDistributed", "Remote", "RemoteSecure", "YTsaurus", "BigQuery"),
            *("ArrowFlight", "Hudi", "DeltaLake", "DeltaLakeS3", "DeltaLakeAzure", "Iceberg"),
            *("IcebergS3", "IcebergAzure", "IcebergHDFS", "Paimon", "PaimonS3", "PaimonAzure"),
            *("PaimonHDFS",),
        ),
        (TableTreatment.SCHEMA, (FOREIGN,)),
    ),
    **dict.fromkeys(
        ("Kafka", "RabbitMQ", "NATS", "S3Queue", "AzureQueue", "FileLog"),
        (TableTreatment.SCHEMA, (FOREIGN, _QUEUE)),
    ),
    **dict.fromkeys(("Set", "SharedSet"), (TableTreatment.SCHEMA, (_SET,))),
    "Buffer": (TableTreatment.SCHEMA, (_BUFFER,)),
    **dict.fromkeys(
        (
            *("File", "SQLite", "DeltaLakeLocal", "IcebergLocal", "PaimonLocal"),
            *("file()", "sqlite()", "executable()", "icebergLocal()", "deltaLakeLocal()"),
        ),
        (TableTreatment.SCHEMA, (FILES,)),
    ),
    "KeeperMap": (TableTreatment.SCHEMA, (KEEPER,)),
    **dict.fromkeys(("TimeSeries", "WindowView"), (TableTreatment.SCHEMA, (_INNER_ROWS,))),
}


def by_engine(engine: str) -> tuple[TableTreatment, tuple[Remark, ...]]:
    """Return which parts of a table of this engine are saved, with remarks.

    A name that ends in `()` is that of the function whose rows the table shows.
    """
    if engine.endswith("MergeTree"):
        return TableTreatment.DATA, ()
    if engine in ENGINES:
        return ENGINES[engine]
    if engine.endswith("()"):
        return TableTreatment.SCHEMA, (FOREIGN,)
    unknown = Remark(
        NoteCode.NOT_DUMPED,
        f"this version does not know the engine {engine}, so only the statements of these tables "
        "are in this dump, and no rows",
    )
    return TableTreatment.SCHEMA, (unknown,)


def is_known(engine: str) -> bool:
    """Whether the name is that of an engine that this version knows."""
    return engine.endswith("MergeTree") or engine in ENGINES


def is_replicated(engine: str) -> bool:
    """Whether an engine keeps the same rows on all replicas of a shard."""
    return engine.startswith(("Replicated", "Shared"))
