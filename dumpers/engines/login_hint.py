"""What about a login's own characters may be why a server refuses it."""

import unicodedata

from dumpers.contract.connection import Connection

_QUOTES = ("'", '"')
_LINE_ENDS = ("\n", "\r")


def login_hint(connection: Connection) -> str:
    """What looks wrong with user, password or API key, as the end of a message; else empty.

    Shows no character of a secret but those that nobody means to write: a line end, a blank at an
    edge, quotes around the whole.
    """
    values = {
        "user name": connection.username,
        "password": connection.password,
        "API key": connection.api_key,
    }
    faults = [f"the {name} {_fault(value)}" for name, value in values.items() if _fault(value)]
    return "".join(f"; {fault}" for fault in faults)


def _fault(value: str) -> str:
    """What is wrong with a value, as the end of a sentence about it; empty if nothing is."""
    if value.endswith(_LINE_ENDS):
        fault = (
            "ends in a line end: the Secret was probably made by `echo` without -n, make it anew "
            "without the line end"
        )
    elif value.startswith(_LINE_ENDS):
        fault = "begins with a line end: write it without"
    elif value != value.strip():
        place = "ends in" if value != value.rstrip() else "begins with"
        fault = f"{place} a blank: write it without, if the blank is not a part of it"
    elif len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        fault = "stands in quotes: they count as a part of it, write it without"
    elif any(_is_hidden(letter) for letter in value):
        fault = "holds a character that does not show, such as a tab or a byte order mark"
    else:
        fault = ""
    return fault


def _is_hidden(letter: str) -> bool:
    """Whether a character is a control or format character, or an odd blank."""
    return unicodedata.category(letter)[0] == "C" or (letter.isspace() and letter != " ")
