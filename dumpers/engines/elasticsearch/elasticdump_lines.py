"""The lines that elasticdump writes and reads: one JSON value each.

Mappings are an object; settings, aliases, templates and policies a JSON text within a JSON string,
which elasticdump parses twice and without which it loads nothing and says nothing. Of a file it
takes the first line only, so there is one for all indices.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

# What belongs to the one index that it was made for; elasticdump drops the same.
_OWN_SETTINGS = ("uuid", "version", "creation_date", "provided_name", "resize")


class IndexAnswer(msgspec.Struct, omit_defaults=True):
    """One index in the answer to `GET /<index>`; only its settings are parsed."""

    aliases: msgspec.Raw = msgspec.Raw(b"{}")
    mappings: msgspec.Raw = msgspec.Raw(b"{}")
    settings: dict[str, Any] = {}


_INDEX = msgspec.json.Decoder(dict[str, IndexAnswer])


def members(body: bytes) -> bytes:
    """The members of a JSON object as they are, without its braces; empty if it has none."""
    return body.strip()[1:-1].strip()


def portable(body: bytes) -> bytes:
    """The answer to `GET /<index>` or `/<index>/_settings`, without values unique to that index."""
    answer = _INDEX.decode(body)
    for index in answer.values():
        settings = index.settings.get("index", {})
        for name in _OWN_SETTINGS:
            settings.pop(name, None)
        recovery = settings.get("routing", {}).get("allocation", {})
        recovery.pop("initial_recovery", None)
    return msgspec.json.encode(answer)


def aliases(body: bytes) -> bytes:
    """The aliases in an answer to `GET /<index>`; {} where there are none: elasticdump fails there.

    Asked for this way, as with security on `GET /<index>/_alias` is an error where there are none.
    """
    answer = _INDEX.decode(body)
    found = {
        name: IndexAnswer(aliases=index.aliases)
        for name, index in answer.items()
        if members(bytes(index.aliases))
    }
    return msgspec.json.encode(found)


def object_line(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """One line that holds the members of all these JSON objects, which are none across lines."""
    yield from _joined(bodies, b"{", b"}", lambda text: text)


def string_line(bodies: Iterable[bytes]) -> Iterator[bytes]:
    """The same as a JSON string that holds the JSON object."""
    yield from _joined(bodies, b'"{', b'}"', _escaped)


def _joined(bodies: Iterable[bytes], head: bytes, tail: bytes, shape: Any) -> Iterator[bytes]:
    yield head
    first = True
    for body in bodies:
        inner = members(body)
        if inner:
            yield shape(inner if first else b"," + inner).replace(b"\n", b" ").replace(b"\r", b" ")
            first = False
    yield tail + b"\n"


def _escaped(text: bytes) -> bytes:
    return json.dumps(text.decode(), ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")


def unwrap(line: bytes) -> bytes:
    """The JSON object of a line, whichever form it has; ValueError."""
    text = line.strip()
    if text.startswith(b'"'):
        text = str(json.loads(text)).encode("utf-8", "surrogatepass")
    if not text.startswith(b"{"):
        raise ValueError("no JSON object")
    return text
