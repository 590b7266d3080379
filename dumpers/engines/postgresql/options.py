"""Which databases and objects are dumped, and in which format: annotations and own options."""

import getopt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from dumpers.contract.connection import DumpSource
from dumpers.engines.postgresql.choice import Choice, choice_arguments, read_choice
from dumpers.engines.postgresql.names import split_names
from dumpers.engines.postgresql.spec import FORMAT, GLOBALS, PG_DUMP_OPTIONS
from dumpers.engines.shared_options import DATABASES, PARALLELISM
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
    # A file of the pod that says what is dumped.
    "--filter",
}
# Several streams are parts of one plain dump, all of one snapshot, whose rows come by COPY.
_OF_ONE_STREAM = {
    *("-a", "--data-only", "-s", "--schema-only", "--no-data", "--no-schema", "--section"),
    *("--statistics", "--statistics-only", "--sequence-data", "--binary-upgrade"),
    *("--inserts", "--column-inserts", "--rows-per-insert", "--on-conflict-do-nothing"),
    *("-c", "--clean", "--if-exists", "-C", "--create", "--load-via-partition-root"),
    *("--serializable-deferrable", "--snapshot", "-E", "--encoding", "--extra-float-digits"),
}


def parse_pg_dump_options(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Split PG_DUMP_OPTIONS as a shell would: its words, and the options that they are.

    ConfigurationError names what has no place in it.
    """
    try:
        words = shlex.split(text)
        given, rest = getopt.gnu_getopt(words, _SHORT, _LONG)
    except (ValueError, getopt.GetoptError) as error:
        raise ConfigurationError(f"{_VARIABLE} cannot be read: {error}") from error
    refused = [name for name, _ in given if name in _REFUSED]
    if refused:
        raise ConfigurationError(
            f"{_VARIABLE} holds {', '.join(refused)}: connection, file, format, jobs, filter and "
            "compression are not for the options to say"
        )
    if rest:
        raise ConfigurationError(
            f"{_VARIABLE} holds the word {rest[0]!r}, which is no option: pg_dump would take it "
            "for another database"
        )
    return words, given


def without_snapshot(text: str) -> str:
    """PG_DUMP_OPTIONS without the moment to read, which only the dumped server knew."""
    _, given = parse_pg_dump_options(text)
    return shlex.join(
        f"{name}={value}" if f"{name[2:]}=" in _LONG else f"{name}{value}"
        for name, value in given
        if name != "--snapshot"
    )


PLAIN_ENDING = ".sql"
CUSTOM_ENDING = ".dump"
GLOBALS_ENDING = ".globals.sql"


ALL = "*"
_CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpOptions:
    """What a run dumps: `databases` is empty for the one of the connection.

    `own` are the words of PG_DUMP_OPTIONS; `quotes_all` means that they ask for quotes around every
    name. `parallelism` is how many streams a database is read by.
    """

    job: DumpSource
    databases: tuple[str, ...]
    choice: Choice
    own: tuple[str, ...]
    custom: bool
    globals: bool
    parallelism: int = 1
    quotes_all: bool = False

    def arguments(self, *, major: int) -> list[str]:
        """Return the arguments of a pg_dump of this major version, for any of the databases."""
        return [
            *(["--format=custom", "--compress=0"] if self.custom else []),
            *choice_arguments(self.job, self.choice, major=major),
            *self.own,
        ]


def read_options(job: DumpSource) -> DumpOptions:
    """Read the job's variables; ConfigurationError names the variable that is wrong."""
    databases = split_names(DATABASES.variable, job.options.get(DATABASES.variable, ""))
    if len(set(databases)) < len(databases) or (ALL in databases and len(databases) > 1):
        raise ConfigurationError(f"{DATABASES.variable} names a database twice, or others beside *")
    own, given = parse_pg_dump_options(job.options.get(PG_DUMP_OPTIONS.variable, ""))
    custom = job.options.get(FORMAT.variable, "plain") == _CUSTOM
    parallelism = int(job.options.get(PARALLELISM.variable, "1"))
    names = [name for name, _ in given]
    if parallelism > 1:
        _check_parallel(names, parallelism, custom=custom)
    return DumpOptions(
        job=job,
        databases=databases,
        choice=read_choice(job, given),
        own=tuple(own),
        custom=custom,
        globals=job.options.get(GLOBALS.variable) != "false",
        parallelism=parallelism,
        quotes_all="--quote-all-identifiers" in names,
    )


def _check_parallel(names: Sequence[str], parallelism: int, *, custom: bool) -> None:
    """Raise ConfigurationError where something else is asked for that only one stream can do."""
    told = f"{PARALLELISM.variable} is {parallelism}, and a dump of several streams is plain SQL "
    if custom:
        raise ConfigurationError(
            f"{told}of its own: leave out {FORMAT.variable}={_CUSTOM}, or {PARALLELISM.variable}"
        )
    if single := [name for name in names if name in _OF_ONE_STREAM]:
        raise ConfigurationError(
            f"{told}by pg_dump's sections and COPY: leave {', '.join(single)} out of {_VARIABLE}, "
            f"or leave out {PARALLELISM.variable}"
        )
