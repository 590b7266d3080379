"""Annotations that several engines have."""

from dumpers.contract.engine_spec import TextOption

_LISTED = "names, separated by commas"
DATABASES = TextOption(
    key="databases",
    variable="KSNAPSHOT_DATABASES",
    help="Databases to dump, separated by commas, or `*` for all.",
    wanted=f"{_LISTED}, or *",
)
TABLES = TextOption(
    key="tables",
    variable="KSNAPSHOT_TABLES",
    help="The tables to dump, separated by commas, instead of all; `clickhouse` takes patterns.",
    wanted=_LISTED,
)
EXCLUDE_TABLES = TextOption(
    key="exclude-tables",
    variable="KSNAPSHOT_EXCLUDE_TABLES",
    help="Tables to leave out, separated by commas; `clickhouse` takes patterns.",
    wanted=_LISTED,
)
PARALLELISM = TextOption(
    key="parallelism",
    variable="KSNAPSHOT_PARALLELISM",
    help="How many streams a database is read by, all of one snapshot, into several objects; "
    "without it, or `1`, one stream into one object.",
    wanted="a whole number from 1 to 64",
    pattern=r"[1-9]|[1-5][0-9]|6[0-4]",
)
