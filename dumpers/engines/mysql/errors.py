"""Errors of MySQL and MariaDB by their numbers, as the stock clients print them.

https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

import re

# How the tools write the number of an error of server or client: `ERROR 1045 (28000): …`,
# `Got error: 1045: …`, `… (1227)`.
_NUMBER = re.compile(r"(?:error:?|\()\s*(\d{4})\b", re.IGNORECASE)
# Numbers for which trying again cannot help. An unknown number counts as passing, which costs a
# retry.
_REFUSALS = frozenset(
    (
        *(
            1018,
            1044,
            1045,
            1049,
            1051,
            1102,
            1104,
            1115,
            1130,
            1142,
            1143,
            1227,
            1231,
            1251,
            1273,
            1298,
            1305,
        ),
        *(
            1034,
            1194,
            1195,
            1356,
            1370,
            1371,
            1419,
            1449,
            1524,
            1698,
            1820,
            1862,
            2049,
            2054,
            2059,
            2061,
            3105,
        ),
        *(3118, 3159, 3878, 3879, 4151),
    )
)
# What the tools themselves refuse: such errors of theirs have no number, and are in English.
_REFUSED_WORDS = re.compile(
    # A dump's table may be gone because it was dropped meanwhile; a script's stays missing.
    r"error 1146 \(42S02\) at line"
    r"|unknown (?:option|variable|suffix)|ambiguous option|option .* requires an argument"
    r"|insuff?icent privileges|insufficient privileges",
    re.IGNORECASE,
)
# A server whose certificate is not trusted, or that has no TLS where it is asked for.
_DISTRUST = re.compile(r"certificate|SSL is required", re.IGNORECASE)
_TLS_FAILED = 2026
# A table that the server finds damaged while it is read.
CRASHED = frozenset((1034, 1194, 1195))
# A table that the server cannot open: its definition, its file or an index is damaged or gone.
UNOPENED = frozenset((1033, 1712, 1812, 1814, 1877, 1932))
# The server's own tables of routines or events are damaged, or of an older release that nobody has
# upgraded; or one of the routines in them.
_NO_PROGRAM_TABLES = (
    frozenset((1146, 1457, 1547, 1548, 1558, 1577, 1728, 1805)) | CRASHED | UNOPENED
)
# What the tools ask of a table before they read it; MariaDB has the number of a crashed table for a
# definition that does not fit, too.
_OPENING = "couldn't execute 'show "
LOST_CONNECTION = 2013
# A SELECT that the server's max_join_size forbids.
TOO_BIG_A_SELECT = 1104
LOCK_WAIT_TIMEOUT, DEADLOCK = 1205, 1213
# An account that may not do something with a database, table, column, routine or server.
NO_RIGHT = frozenset((1044, 1142, 1143, 1227, 1370))
# MySQL's answer to XA RECOVER without the right XA_RECOVER_ADMIN.
MAY_NOT_RECOVER = 1401
NO_SUCH_TABLE = 1146
NO_SUCH_ROUTINE = 1305
REFUSED_LOGINS = frozenset((1045, 1698))
NOT_THE_DEFINER = frozenset((1227, 1419))
UNKNOWN_CHARACTERS = frozenset((1115, 1273))


def error_numbers(text: str) -> frozenset[int]:
    """The numbers of the server's and the clients' errors in a tool's last words."""
    return frozenset(int(found[1]) for found in _NUMBER.finditer(text))


def are_programs_damaged(text: str) -> bool:
    """Whether a refusal means that the server itself cannot tell of its routines or events."""
    return bool(error_numbers(text) & _NO_PROGRAM_TABLES)


def is_final(text: str) -> bool:
    """Whether trying again cannot help against the error that a tool's last words hold."""
    return bool(error_numbers(text) & _REFUSALS) or _REFUSED_WORDS.search(text) is not None


def is_distrust(text: str) -> bool:
    """Whether a client's last words are that it does not trust the server it has reached."""
    return _TLS_FAILED in error_numbers(text) and _DISTRUST.search(text) is not None


def is_unopened(text: str) -> bool:
    """Whether a dump tool's last words are that a table cannot be opened, or was damaged before."""
    numbers = error_numbers(text)
    return bool(numbers & UNOPENED or (numbers & CRASHED and _OPENING in text.lower()))
