"""Which options of a dump leave out parts of what there was; pure."""

import re
import shlex
from collections.abc import Mapping, Sequence

from dumpers.runtime.errors import NotDrillableError

# They leave something out wherever they are set.
_CHOOSING = frozenset(
    (
        *("KSNAPSHOT_TABLES", "KSNAPSHOT_EXCLUDE_TABLES", "KSNAPSHOT_INDICES"),
        *("KSNAPSHOT_SCHEMAS", "KSNAPSHOT_EXCLUDE_SCHEMAS", "CLICKHOUSE_PARTITIONS"),
        *("MYSQLDUMP_TABLES", "MYSQLDUMP_EXCLUDED_TABLES"),
    )
)
_PG_DUMP, _MYSQLDUMP = "PG_DUMP_OPTIONS", "MYSQLDUMP_OPTIONS"
# Words of the tools' own options that do; pg_dump also takes a long one's beginning.
_OF_PG_DUMP = (
    *("--table", "--table-and-children", "--exclude-table", "--exclude-table-and-children"),
    *("--schema", "--exclude-schema", "--extension", "--exclude-extension"),
    *("--section", "--data-only", "--no-schema"),
)
_SHORT_OF_PG_DUMP = re.compile(r"-[bBcCORsvwWxX]*[aenNtT]")
_OF_MYSQLDUMP = re.compile(
    r"--(?:loose-)?(?:ignore-table(?:=|\Z)|no-create-info\b|(?:skip|disable)-routines\b"
    r"|routines=(?i:0|off|false)\b)|-[acCdeEKlMnNqQRvx]*t"
)
_FOREIGN = "--include-foreign-data"


def choosing_options(options: Mapping[str, str]) -> Sequence[str]:
    """The variables among a dump's options by which it may name what it does not hold."""
    found = set(_CHOOSING & options.keys())
    if any(_chooses(word) for word in _words(options.get(_PG_DUMP, ""))):
        found.add(_PG_DUMP)
    words = _words(options.get(_MYSQLDUMP, ""))
    if any(_OF_MYSQLDUMP.match(_dashed(word)) for word in words):
        found.add(_MYSQLDUMP)
    return sorted(found)


def check_options(options: Mapping[str, str]) -> None:
    """Raise NotDrillableError where a load would write to another server."""
    for word in _words(options.get(_PG_DUMP, "")):
        if _is_long(word, _FOREIGN):
            raise NotDrillableError(
                f"the backup holds rows of foreign tables ({_PG_DUMP} has {_FOREIGN}): to load it "
                "is to write them to the servers that these tables are of"
            )


def _chooses(word: str) -> bool:
    if word.startswith("--"):
        return any(_is_long(word, name) for name in _OF_PG_DUMP)
    return _SHORT_OF_PG_DUMP.match(word) is not None


def _is_long(word: str, name: str) -> bool:
    """Whether a word is this long option, or a beginning of it that stands for no other."""
    written = word.partition("=")[0]
    return written.startswith("--") and written != "--" and name.startswith(written)


def _dashed(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}"


def _words(text: str) -> Sequence[str]:
    try:
        return shlex.split(text)
    except ValueError:
        # The dump was made with it: it is read otherwise there.
        return text.split()
