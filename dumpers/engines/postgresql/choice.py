"""What of a server is dumped, and in which form: the annotations' and the user's own options."""

from dataclasses import dataclass

from dumpers.contract.jobs import DumpJob
from dumpers.engines import shared_options
from dumpers.engines.postgresql import options
from dumpers.engines.postgresql.spec import (
    EXCLUDE_SCHEMAS,
    FORMAT,
    GLOBALS,
    PG_DUMP_OPTIONS,
    SCHEMAS,
)
from dumpers.runtime.errors import ConfigurationError

ALL = "*"
_CUSTOM = "custom"
# Patterns are pg_dump's own: in double quotes a comma belongs to the name.
_LISTS = {
    shared_options.TABLES.variable: "--table",
    shared_options.EXCLUDE_TABLES.variable: "--exclude-table",
    SCHEMAS.variable: "--schema",
    EXCLUDE_SCHEMAS.variable: "--exclude-schema",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`databases` is empty for the one of the connection; `arguments` are pg_dump's."""

    databases: tuple[str, ...]
    arguments: tuple[str, ...]
    custom: bool
    globals: bool


def read(job: DumpJob) -> Choice:
    """What the job's variables ask for; ConfigurationError says what is wrong with them."""
    given = job.options
    form = given.get(FORMAT.variable, "plain")
    databases = split(
        shared_options.DATABASES.variable, given.get(shared_options.DATABASES.variable, "")
    )
    if len(set(databases)) < len(databases) or (ALL in databases and len(databases) > 1):
        raise ConfigurationError(
            f"{shared_options.DATABASES.variable} names a database twice, or others beside *"
        )
    lists = [
        f"{option}={pattern}"
        for variable, option in _LISTS.items()
        for pattern in split(variable, given.get(variable, ""), unquote=False)
    ]
    custom = ["--format=custom", "--compress=0"] if form == _CUSTOM else []
    own = options.parse(given.get(PG_DUMP_OPTIONS.variable, ""))
    return Choice(
        databases=databases,
        arguments=(*custom, *lists, *own),
        custom=form == _CUSTOM,
        globals=given.get(GLOBALS.variable) != "false",
    )


def split(variable: str, text: str, *, unquote: bool = True) -> tuple[str, ...]:
    """A list as SQL has identifiers: apart by commas, in double quotes where a name holds one."""
    found, current, quoted = [], "", False
    for letter in text:
        if letter == "," and not quoted:
            found.append(current)
            current = ""
            continue
        quoted ^= letter == '"'
        current += letter
    if quoted:
        raise ConfigurationError(f"{variable} holds an odd number of double quotes")
    items = [item.strip() for item in (*found, current)]
    if text and not all(items):
        raise ConfigurationError(f"{variable} holds an empty name: apart by commas, one each")
    if unquote:
        items = [
            item[1:-1].replace('""', '"') if len(item) > 1 and item[0] == item[-1] == '"' else item
            for item in items
        ]
    return tuple(filter(None, items))
