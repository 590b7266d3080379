"""Names as lists have them, and in the bytes that a server has them in."""

import codecs
import os

from dumpers.runtime.errors import ConfigurationError

# Where Python calls an encoding otherwise than the server does. One of none is taken for UTF-8, as
# what the names of such databases mostly are.
_CODECS = {
    "EUC_CN": "gb2312",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
    "SQL_ASCII": "utf-8",
    **{f"WIN{number}": f"cp{number}" for number in (866, 874, *range(1250, 1259))},
}


def in_encoding(text: str, encoding: str) -> bytes:
    """A text in the bytes of a server's encoding, by its own name; else as UTF-8.

    Bytes that were no text when they were read, and are surrogates in it, come back as they were.
    """
    codec = _CODECS.get(encoding, encoding)
    try:
        return codecs.encode(text, codec)
    except (LookupError, UnicodeEncodeError):
        return text.encode("utf-8", "surrogateescape")


def as_argument(text: str, encoding: str) -> str:
    """A text as an argument that a program gets in the bytes of a server's encoding."""
    return os.fsdecode(in_encoding(text, encoding))


def shown(text: str) -> str:
    """A text for people, without what was no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def split_names(variable: str, text: str, *, unquote: bool = True) -> tuple[str, ...]:
    """Split a list at its commas; in double quotes a comma belongs to the name."""
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
