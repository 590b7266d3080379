"""Which of pg_dump's options a user may set: those that neither redirect nor disguise the dump."""

import getopt
import shlex

from dumpers.engines.postgresql.spec import PG_DUMP_OPTIONS
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


def parse(text: str) -> list[str]:
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
