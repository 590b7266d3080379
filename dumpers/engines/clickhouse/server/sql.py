"""Statements: how names and texts are quoted, what is read and what is loaded."""

from collections.abc import Callable, Sequence

# What writeAnyQuotedString of src/IO/WriteHelpers.h escapes, which every release reads.
_ESCAPES = {
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\0": "\\0",
}


def identifier(name: str) -> str:
    """A name, quoted."""
    return _quoted(name, "`")


def literal(text: str) -> str:
    """A string, quoted."""
    return _quoted(text, "'")


def qualified(database: str, table: str) -> str:
    """A table by its full name, quoted."""
    return f"{identifier(database)}.{identifier(table)}"


def remote(address: str, database: str, table: str, *, username: str, password: str) -> str:
    """A table of another server, `host:port` of its native protocol, for the entry point to read.

    The login may show in the query_log of servers that do not mask it.
    """
    parts = (literal(address), identifier(database), identifier(table))
    return f"remote({', '.join((*parts, literal(username), literal(password)))})"


def select(source: str, columns: Sequence[str], partitions: Sequence[str] = ()) -> str:
    """Read a table, `qualified` or `remote`, or the partitions of it that have these ids."""
    return f"SELECT {_list(identifier, columns)} FROM {source}{_of(partitions)} FORMAT Native"  # noqa: S608  quoted


def count(source: str, partitions: Sequence[str] = ()) -> str:
    """Count the rows that `select` would read."""
    return f"SELECT count() FROM {source}{_of(partitions)}"  # noqa: S608  quoted


def insert(target: str, columns: Sequence[str]) -> str:
    """Load what `select` gave for the same columns."""
    return f"INSERT INTO {target} ({_list(identifier, columns)}) FORMAT Native"


def _of(partitions: Sequence[str]) -> str:
    return f" WHERE _partition_id IN ({_list(literal, partitions)})" if partitions else ""


def _list(quote: Callable[[str], str], names: Sequence[str]) -> str:
    return ", ".join(map(quote, names))


def _quoted(text: str, quote: str) -> str:
    return quote + "".join(_ESCAPES.get(c, f"\\{c}" if c == quote else c) for c in text) + quote
