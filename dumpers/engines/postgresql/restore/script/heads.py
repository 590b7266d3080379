"""What the first kilobytes of a dump say, before psql is given any of it; pure."""

import re

from dumpers.runtime.errors import TargetRefusedError
from dumpers.streams.reader import PrefixedReader, Reader

_HEAD_BYTES = 4096
_VERSION = re.compile(rb"^-- Dumped from database version (\d+)", re.MULTILINE)
_RESTRICTED = re.compile(rb"^\\restrict ", re.MULTILINE)


def guard(source: Reader, *, server: int, token: str) -> Reader:
    r"""A reader of the same dump, which psql takes in its restricted mode.

    In that mode psql runs none of its own commands, a shell among them. Dumps of newer tools ask
    for it by themselves; to others it is added, with `token`, empty where this psql does not know
    it. Raises TargetRefusedError where the dump is of a newer major version than `server`.
    """
    head = b""
    while len(head) < _HEAD_BYTES and (data := source.read(_HEAD_BYTES)):
        head += data
    if found := _VERSION.search(head):
        check_version(int(found[1]), server=server)
    opening = b"" if _RESTRICTED.search(head) or not token else f"\\restrict {token}\n".encode()
    return PrefixedReader(opening + head, source)


def check_version(dumped: int, *, server: int) -> None:
    """Raise TargetRefusedError where the dump is of a newer major version than the server."""
    if dumped > server:
        raise TargetRefusedError(
            f"the backup is of PostgreSQL {dumped}, and the target is {server}: a dump loads into "
            "the same or a newer major version only"
        )
