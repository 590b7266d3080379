"""Which of the dump tools' options a user may set: those that neither redirect nor disguise it."""

import re
import shlex
from collections.abc import Iterator, Sequence

from dumpers.engines.mysql.spec import MYSQLDUMP_OPTIONS, PER_TABLE
from dumpers.engines.shared_options import EXCLUDE_TABLES
from dumpers.runtime.errors import ConfigurationError

_VARIABLE = MYSQLDUMP_OPTIONS.variable

# Of mysqldump 5.7 to 9 and of mariadb-dump 10 to 12; the tool itself complains of what it does not
# know. Both also take any unambiguous beginning of a name: here a name is whole.
_FLAGS = frozenset(
    (
        *("add-drop-table", "add-drop-trigger", "add-locks", "allow-keywords", "column-statistics"),
        *("comments", "compact", "complete-insert", "compress", "create-options", "disable-keys"),
        *("dump-date", "dump-history", "enable-cleartext-plugin", "events", "extended-insert"),
        *("get-server-public-key", "hex-blob", "insert-ignore", "lock-all-tables", "lock-tables"),
        *(
            "mysqld-long-query-time",
            "network-timeout",
            "no-autocommit",
            "no-create-info",
            "no-data",
            "no-data-med",
        ),
        *("no-set-names", "no-tablespaces", "opt", "order-by-primary", "order-by-size", "quick"),
        *("quote-names", "replace", "routines", "set-charset", "show-create-skip-secondary-engine"),
        *("single-transaction", "skip-definer", "skip-generated-invisible-primary-key", "ssl"),
        *("ssl-verify-server-cert", "triggers", "tz-utc", "update-history", "verbose"),
    )
)
_VALUED = frozenset(
    (
        *("as-of", "compatible", "compression-algorithms", "default-auth", "default-character-set"),
        *("ignore-table", "ignore-table-data", "max-allowed-packet", "net-buffer-length"),
        *("plugin-dir", "server-public-key-path", "ssl-ca"),
        *("ssl-capath", "ssl-cert", "ssl-cipher", "ssl-crl", "ssl-crlpath", "ssl-fips-mode"),
        *("ssl-key", "ssl-mode", "tls-ciphersuites", "tls-sni-servername", "tls-version", "where"),
        *("zstd-compression-level",),
    )
)
# A value only where one stands behind an equals sign.
_OPTIONAL = frozenset(("set-gtid-purged",))
_SHORT_FLAGS = frozenset("acCdeEKlMnNqQRtvx")
_SHORT_VALUED = frozenset("w")
# What takes the headers of tables out of a dump or changes them, and whether switched off.
_UNCUT = frozenset(
    (
        ("no-create-info", False),
        ("order-by-size", False),
        ("compatible", False),
        ("quote-names", True),
    )
)
_SHORT_NAMES = {
    "d": "no-data",
    "t": "no-create-info",
    "w": "where",
    "x": "lock-all-tables",
    "n": "no-create-db",
}
_OF_ALL = frozenset(("ignore-table", "ignore-table-data"))
_UNCUT_SHORT = frozenset("t")
# How the dumped server is reached: a copy of it elsewhere is reached in another way.
_OF_CONNECTION = frozenset(
    (
        *("compress", "compression-algorithms", "default-auth", "enable-cleartext-plugin"),
        *("get-server-public-key", "plugin-dir", "server-public-key-path", "ssl"),
        *("zstd-compression-level",),
        *(name for name in _FLAGS | _VALUED if name.startswith(("ssl-", "tls-"))),
    )
)
_OFF = ("skip-", "disable-")
_FALSE = frozenset(("0", "off", "false"))


def parse(text: str, *, per_table: bool = False, named: bool = False) -> list[str]:
    """Split MYSQLDUMP_OPTIONS as a shell would; ConfigurationError names what has no place.

    With `per_table` that is also what takes away or changes the headers of tables, and what may
    stand in a dump only once. With that, and where tables are `named`, it is what counts only where
    all tables are dumped.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigurationError(f"{_VARIABLE} cannot be read: {error}") from error
    rest = iter(words)
    for word in rest:
        if word.startswith("--") and word != "--":
            _check_long(word, rest, per_table=per_table, named=named)
        elif word.startswith("-") and word not in {"-", "--"}:
            _check_short(word, rest, per_table=per_table)
        else:
            raise ConfigurationError(
                f"{_VARIABLE} holds the word {word!r}, which is no option: the tool would take it "
                "for a database or table; name tables in MYSQLDUMP_TABLES"
            )
    if character_set(words) == "binary":
        raise ConfigurationError(
            f"{_VARIABLE} holds --default-character-set=binary, by which definitions with other "
            "characters than ASCII come back altered: take it out, strings whose bytes UTF-8 does "
            "not keep are dumped as bytes by themselves"
        )
    return words


def has_option(words: Sequence[str], name: str) -> bool:
    """Whether checked options hold one of this name with a value."""
    return _value(words, name) is not None


def chooses_rows(words: Sequence[str]) -> bool:
    """Whether checked options have some rows dumped, as a condition or a moment decides."""
    return any(has_option(words, name) for name in ("where", "as-of")) or any(
        re.match(rf"-[{''.join(_SHORT_FLAGS)}]*w", word) for word in words
    )


def switches(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """The names of checked options, each with whether it is switched off; short ones in full."""
    for word in words:
        if word.startswith("--"):
            written, _, value = word.removeprefix("--").partition("=")
            name, off = _plain(written.replace("_", "-"))
            yield name, off ^ (name in _FLAGS and value.lower() in _FALSE)
        elif word.startswith("-"):
            for letter in word[1:]:
                if letter in _SHORT_NAMES:
                    yield _SHORT_NAMES[letter], False
                if letter in _SHORT_VALUED:
                    break


def leaves_out(words: Sequence[str], name: str) -> bool:
    """Whether checked options switch one of this name off, as the last of them says."""
    return [False, *(off for found, off in switches(words) if found == name)][-1]


def without_connection(words: Sequence[str]) -> list[str]:
    """Checked options without those that say how the server is reached."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        written, equals, _ = word.partition("=")
        name, _ = _plain(written.removeprefix("--").replace("_", "-"))
        # The value of another option begins with no dash.
        if not word.startswith("--") or name not in _OF_CONNECTION:
            kept.append(word)
        elif name in _VALUED and not equals:
            next(rest, "")
    return kept


def is_repeatable(words: Sequence[str]) -> bool:
    """Whether an equal database is dumped alike with checked options: GTIDs are a server's own."""
    found = _value(words, "set-gtid-purged")
    return found is None or found.lower() == "off"


def character_set(words: Sequence[str]) -> str:
    """The character set that checked options have the dump written in; empty for UTF-8."""
    found = (_value(words, "default-character-set") or "").lower()
    return "" if found == "utf8mb4" else found


def _value(words: Sequence[str], name: str) -> str | None:
    """The last value of an option, which stands behind an equals sign or is the next word."""
    found = None
    for word, following in zip(words, (*words[1:], ""), strict=False):
        written, equals, value = word.partition("=")
        if written.replace("_", "-").replace("--loose-", "--") == f"--{name}":
            found = value if equals else following
    return found


def _check_long(word: str, rest: Iterator[str], *, per_table: bool, named: bool) -> None:
    written, equals, value = word.removeprefix("--").partition("=")
    name, off = _plain(written.replace("_", "-"))
    off ^= name in _FLAGS and value.lower() in _FALSE
    # The end of a dump is proved by a comment.
    if (name == "comments" and off) or (name == "compact" and not off):
        raise ConfigurationError(
            f"{_VARIABLE} holds {word}, which leaves out the line that tells a whole dump from one "
            "that was cut short: take it out"
        )
    if per_table and (name, off) in _UNCUT:
        raise _uncut(word)
    if per_table and name in _OPTIONAL and value.upper() not in {"OFF", "COMMENTED"}:
        raise ConfigurationError(
            f"{_VARIABLE} holds {word}, and one object per table is asked for: the server's GTIDs "
            f"can be set by one of them only; drop it or {PER_TABLE.variable}"
        )
    if (per_table or named) and name in _OF_ALL:
        raise ConfigurationError(
            f"{_VARIABLE} holds {word}, which the tool passes over where tables are named to it, "
            f"as they are by the choice of tables or by {PER_TABLE.variable}: use "
            f"{EXCLUDE_TABLES.variable}"
        )
    if name in _VALUED:
        if not equals and next(rest, "-").startswith("-"):
            raise ConfigurationError(f"{_VARIABLE} holds {word} without its value")
    elif name not in _FLAGS | _OPTIONAL:
        raise _refused(f"--{written}")


def _plain(name: str) -> tuple[str, bool]:
    """An option's own name, and whether it is written so as to switch it off."""
    name = name.removeprefix("loose-")
    if name in _FLAGS:
        return name, False
    for prefix in _OFF:
        if name.startswith(prefix):
            return name.removeprefix(prefix), True
    return name.removeprefix("enable-"), False


def _check_short(word: str, rest: Iterator[str], *, per_table: bool) -> None:
    for position, letter in enumerate(word[1:], 2):
        if letter in _SHORT_VALUED:
            if position == len(word) and next(rest, "-").startswith("-"):
                raise ConfigurationError(f"{_VARIABLE} holds {word} without its value")
            return
        if letter not in _SHORT_FLAGS:
            raise _refused(f"-{letter}")
        if per_table and letter in _UNCUT_SHORT:
            raise _uncut(f"-{letter}")


def _uncut(option: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_VARIABLE} holds {option}, and one object per table is asked for: it changes the "
        f"headers or the order by which a dump is cut into tables; drop it or {PER_TABLE.variable}"
    )


def _refused(option: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_VARIABLE} holds {option}, which is not for the options to say: connection, files, "
        "format, choice of databases and tables, and going on after errors are set elsewhere or "
        "not at all; other options have to be written in full"
    )
