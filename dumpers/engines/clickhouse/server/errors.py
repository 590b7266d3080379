"""ClickHouse's own error codes, carried along the causes of the errors that a run ends with."""

import re

# Errors of ClickHouse itself begin with the code, those of its libraries with their class before:
# `Code: 60. DB::Exception: …`, `Poco::Exception. Code: 1000, e.code() = 111, …`.
_NATIVE = re.compile(r"is for clickhouse-client")
_SHOWN_HEAD, _SHOWN_TAIL = 380, 110
# Where servers repeat a query, which may hold anything, up to what they say behind it.
_QUERY = re.compile(
    r"(\b[Ii]n scope |while processing query: |failed at position \d+ \(.{0,60}?\)[^:]{0,40}: )"
    r".*?(?=,? required columns:|\. Expected|\. \([A-Z_]+\)|, e\.what\(\)|\(version |$)"
)
_CODE = re.compile(r"\s*(?:[\w:]{1,30}\. )?Code: (\d+)\b")

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
UNKNOWN_IDENTIFIER = 47
UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
ACCESS_DENIED = 497
READONLY = 164
SETTING_CONSTRAINT = 452
FUNCTION_ALREADY_EXISTS = 609
NAMED_COLLECTION_ALREADY_EXISTS = 670


class ClickHouseError(Exception):
    """An error as a server reported it; `code` is None if its text has none at its start.

    Errors of a run have it as a cause, at any depth; `code_of` finds it there.
    """

    def __init__(self, text: str, *, code: int | None) -> None:
        super().__init__(text)
        self.code = code


# Errors of a query on a table that was dropped or altered after it was looked at.
_GONE = frozenset((UNKNOWN_IDENTIFIER, UNKNOWN_TABLE, UNKNOWN_DATABASE))


def read_error(text: str, *, header: str = "") -> ClickHouseError:
    """Make an error of a server's text.

    `header` is the value of X-ClickHouse-Exception-Code, empty where the server sent none; the code
    is then read from the start of the text. A code elsewhere in the text is part of a message.
    """
    if header.isdecimal():
        return ClickHouseError(text, code=int(header))
    found = _CODE.match(text)
    return ClickHouseError(text, code=int(found[1]) if found else None)


def shorten(text: str) -> str:
    """A server's words for a person: the beginning and the end, where the error's name stands.

    Queries that the server repeats are left out.
    """
    line = _QUERY.sub(r"\1…", " ".join(text.split()))
    if len(line) <= _SHOWN_HEAD + _SHOWN_TAIL:
        return line
    return f"{line[:_SHOWN_HEAD]} … {line[-_SHOWN_TAIL:]}"


def cure(text: str, code: int | None) -> str:
    """What helps against an error of a login or a port, to be put behind it; else empty."""
    if _NATIVE.search(text):
        return (
            ": this is the port of the native protocol; the annotation port must name the one of "
            "HTTP, 8123, or 8443 with TLS"
        )
    if code == READONLY:
        return ": the account's profile has to say readonly = 2 where it says readonly = 1"
    if code == SETTING_CONSTRAINT:
        return ": a constraint of the account's profile stands against a setting of every dump"
    return ""


def code_of(error: BaseException) -> int | None:
    """The code of the server's error that caused this one; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ClickHouseError):
            return cause.code
        cause = cause.__cause__
    return None


def cure_of(error: Exception) -> str:
    """What to do about tables that are gone while they are read; empty for other errors."""
    if code_of(error) in _GONE:
        return (
            " (it was dropped or altered while the dump ran; tables that come and go are left out "
            "by the annotation exclude-tables)"
        )
    return ""
