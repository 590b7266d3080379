"""ClickHouse's own error codes, carried along the causes of the errors that a run ends with."""

import re

# Errors of ClickHouse itself begin with the code, those of its libraries with their class before:
# `Code: 60. DB::Exception: …`, `Poco::Exception. Code: 1000, e.code() = 111, …`.
_CODE = re.compile(r"\s*(?:[\w:]{1,30}\. )?Code: (\d+)\b")

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
UNKNOWN_IDENTIFIER = 47
UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
FUNCTION_ALREADY_EXISTS = 609
NAMED_COLLECTION_ALREADY_EXISTS = 670


class ClickHouseError(Exception):
    """An error as a server reported it; `code` is None if its text has none at its start.

    Errors of a run have it as a cause, at any depth; `code_of` finds it there.
    """

    def __init__(self, text: str, *, code: int | None) -> None:
        super().__init__(text)
        self.code = code


def read_error(text: str, *, header: str = "") -> ClickHouseError:
    """Make an error of a server's text.

    `header` is the value of X-ClickHouse-Exception-Code, empty where the server sent none; the code
    is then read from the start of the text. A code elsewhere in the text is part of a message.
    """
    if header.isdecimal():
        return ClickHouseError(text, code=int(header))
    found = _CODE.match(text)
    return ClickHouseError(text, code=int(found[1]) if found else None)


def code_of(error: BaseException) -> int | None:
    """The code of the server's error that caused this one; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ClickHouseError):
            return cause.code
        cause = cause.__cause__
    return None
