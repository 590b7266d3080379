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
