"""What a job chooses of a server, by its options."""

from dumpers.contract.connection import DumpSource
from dumpers.contract.engine_spec import TextOption
from dumpers.engines.mysql.survey.filters import TableFilter
from dumpers.engines.names import parse_names
from dumpers.engines.shared_options import DATABASES, EXCLUDE_TABLES, TABLES

# The names of 0.6.0, words apart by blanks.
_TABLES, _EXCLUDED = "MYSQLDUMP_TABLES", "MYSQLDUMP_EXCLUDED_TABLES"


def chosen_databases(job: DumpSource) -> tuple[str, ...]:
    """List the databases to dump, none meaning all."""
    text = job.options.get(DATABASES.variable, "")
    if not text:
        return (job.connection.database,)
    return () if text.strip() == "*" else parse_names(DATABASES.variable, text)


def chosen_tables(job: DumpSource) -> TableFilter:
    """The tables that the job's options choose or leave out."""

    def names(words: str, option: TextOption) -> tuple[str, ...]:
        text = job.options.get(option.variable, "")
        return (
            *job.options.get(words, "").split(),
            *(parse_names(option.variable, text) if text else ()),
        )

    return TableFilter(tables=names(_TABLES, TABLES), excluded=names(_EXCLUDED, EXCLUDE_TABLES))
