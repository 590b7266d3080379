"""Which databases and objects are dumped, and in which format: annotations and own options."""

import getopt
import shlex
from dataclasses import dataclass

from dumpers.contract.jobs import DumpJob
from dumpers.engines import shared_options
from dumpers.engines.postgresql.spec import (
    EXCLUDE_SCHEMAS,
    FORMAT,
    GLOBALS,
    PG_DUMP_OPTIONS,
    SCHEMAS,
)
from dumpers.runtime.errors import ConfigurationError

_VARIABLE = PG_DUMP_OPTIONS.variable

# As pg_dump 18 takes them; an older one complains by itself of what it does not know.
_SHORT = "abBcCd:e:E:f:F:h:j:n:N:Op:RsS:t:T:U:vwWxXZ:V?"
_LONG = [
    *("blobs", "binary-upgrade", "clean", "column-inserts", "compress=", "create", "data-only"),
    *("dbname=", "disable-dollar-quoting", "disable-triggers", "enable-row-security", "encoding="),
    *("exclude-extension=", "exclude-schema=", "exclude-table=", "exclude-table-and-children="),
    *("exclude-table-data=", "exclude-table-data-and-children=", "extension=", "file=", "filter="),
    *("extra-float-digits=", "format=", "help", "host=", "if-exists", "include-foreign-data="),
    *("inserts", "jobs=", "large-objects", "load-via-partition-root", "lock-wait-timeout="),
    *("no-blobs", "no-comments", "no-data", "no-large-objects", "no-owner", "no-password"),
    *("no-policies", "no-privileges", "no-publications", "no-schema", "no-security-labels"),
    *("no-statistics", "no-subscriptions", "no-sync", "no-table-access-method", "no-tablespaces"),
    *("no-toast-compression", "no-unlogged-table-data", "on-conflict-do-nothing", "password"),
    *("port=", "quote-all-identifiers", "restrict-key=", "role=", "rows-per-insert=", "schema="),
    *("schema-only", "section=", "sequence-data", "serializable-deferrable", "snapshot="),
    *("statistics", "statistics-only", "strict-names", "superuser=", "sync-method=", "table="),
    *("table-and-children=", "use-set-session-authorization", "username=", "verbose", "version"),
]
# They would write elsewhere, change the form whose end is proved, or dump something else than the
# manifest says.
_REFUSED = {
    *("-d", "--dbname", "-f", "--file", "-F", "--format", "-h", "--host", "-j", "--jobs"),
    *("-p", "--port", "-U", "--username", "-W", "--password", "-Z", "--compress"),
    *("-V", "--version", "-?", "--help"),
}


def parse_pg_dump_options(text: str) -> list[str]:
    """Split PG_DUMP_OPTIONS as a shell would; ConfigurationError names what has no place in it."""
    try:
        words = shlex.split(text)
        given, rest = getopt.gnu_getopt(words, _SHORT, _LONG)
    except (ValueError, getopt.GetoptError) as error:
        raise ConfigurationError(f"{_VARIABLE} cannot be read: {error}") from error
    refused = [name for name, _ in given if name in _REFUSED]
    if refused:
        raise ConfigurationError(
            f"{_VARIABLE} holds {', '.join(refused)}: connection, file, format, jobs and "
            "compression are not for the options to say"
        )
    if rest:
        raise ConfigurationError(
            f"{_VARIABLE} holds the word {rest[0]!r}, which is no option: pg_dump would take it "
            "for another database"
        )
    return words


PLAIN_ENDING = ".sql"
CUSTOM_ENDING = ".dump"
GLOBALS_ENDING = ".globals.sql"


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
class DumpOptions:
    """`databases` is empty for the one of the connection; `arguments` are pg_dump's."""

    databases: tuple[str, ...]
    arguments: tuple[str, ...]
    custom: bool
    globals: bool


def read_options(job: DumpJob) -> DumpOptions:
    """Read the job's variables; ConfigurationError names the variable that is wrong."""
    given = job.options
    form = given.get(FORMAT.variable, "plain")
    databases = split_names(
        shared_options.DATABASES.variable, given.get(shared_options.DATABASES.variable, "")
    )
    if len(set(databases)) < len(databases) or (ALL in databases and len(databases) > 1):
        raise ConfigurationError(
            f"{shared_options.DATABASES.variable} names a database twice, or others beside *"
        )
    lists = [
        f"{option}={pattern}"
        for variable, option in _LISTS.items()
        for pattern in split_names(variable, given.get(variable, ""), unquote=False)
    ]
    custom = ["--format=custom", "--compress=0"] if form == _CUSTOM else []
    own = parse_pg_dump_options(given.get(PG_DUMP_OPTIONS.variable, ""))
    return DumpOptions(
        databases=databases,
        arguments=(*custom, *lists, *own),
        custom=form == _CUSTOM,
        globals=given.get(GLOBALS.variable) != "false",
    )


def split_names(variable: str, text: str, *, unquote: bool = True) -> tuple[str, ...]:
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
