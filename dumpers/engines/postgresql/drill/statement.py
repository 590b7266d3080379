"""One statement by PostgreSQL's own protocol, version 3.

The extended query takes one statement and refuses several, so that nothing ends the transaction
around it: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.checking import (
    VALUE_BYTES,
    StatementError,
    StatementTimeoutError,
    without_values,
)
from dumpers.engines.drilling.wire import Wire
from dumpers.runtime.errors import KsnapshotError, TargetFailedError
from dumpers.runtime.interrupt import Interrupt

_VERSION = 3 << 16
_LENGTH, _COUNT = struct.Struct("!i"), struct.Struct("!h")
_NULL = -1
# A row is read up to its first value, all else whole up to here.
_LONGEST = 1 << 20
_ROW_BYTES = _COUNT.size + _LENGTH.size + VALUE_BYTES
_TIMEOUT = "57014"
# No room, no memory, too many sessions; a server that ends; a disk that fails.
_OF_SERVER = ("53", "57P", "58")
# Messages of these classes name what the statement does. Those of all others may hold values.
_NAMING = ("0A", "25", "26", "28", "34", "3D", "3F", "42", "54")
# Nobody can make a transaction write again once it has looked at the database.
_BEGIN = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT pg_catalog.txid_current_snapshot()",
)


def first_values(
    login: Connection, settings: Mapping[str, str], sql: str, interrupt: Interrupt
) -> Iterator[str | None]:
    """The first value of each row that one statement gives, in a transaction that only reads.

    `settings` are the session's, above those of roles and databases. Values are cut to VALUE_BYTES.
    Raises StatementError, and TargetFailedError where it does not come to the statement.
    """
    with Wire(login, interrupt) as wire:
        session = _Session(wire, sql)
        try:
            session.log_in(login, settings)
            for statement in _BEGIN:
                for _ in session.answer(statement):
                    pass
        except StatementError as error:
            raise TargetFailedError(
                f"{login.username!r} cannot begin a check in {login.database!r}: {error}"
            ) from error
        yield from session.answer(sql)


@dataclass(frozen=True, slots=True)
class _Session:
    """Messages to and from the server, which begin with one letter and their own length."""

    wire: Wire
    sql: str
    """The check that is asked."""

    def log_in(self, login: Connection, settings: Mapping[str, str]) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        said = {
            "user": login.username,
            "database": login.database,
            "client_encoding": "UTF8",
            "application_name": "ksnapshot check",
            "options": options,
        }
        words = "".join(f"{name}\0{value}\0" for name, value in said.items()) + "\0"
        body = _LENGTH.pack(_VERSION) + words.encode()
        self.wire.send(_LENGTH.pack(len(body) + _LENGTH.size) + body)
        for kind, body in self._messages():
            if kind == b"R" and body[: _LENGTH.size] != _LENGTH.pack(0):
                raise TargetFailedError("the throwaway server asks for a password, and has none")

    def answer(self, sql: str) -> Iterator[str | None]:
        parse = b"\0" + sql.encode() + b"\0" + _COUNT.pack(0)
        # As texts, without parameters, all rows.
        bind = b"\0\0" + _COUNT.pack(0) * 3
        execute = b"\0" + _LENGTH.pack(0)
        parts = ((b"P", parse), (b"B", bind), (b"E", execute), (b"S", b""))
        self.wire.send(
            b"".join(kind + _LENGTH.pack(len(body) + _LENGTH.size) + body for kind, body in parts)
        )
        for kind, body in self._messages():
            if kind == b"D":
                yield _first(body)
            elif kind in {b"G", b"H", b"W"}:
                raise StatementError("COPY gives no rows here")

    def _messages(self) -> Iterator[tuple[bytes, bytes]]:
        """What the server says, up to where it waits; raises what it says of an error."""
        while True:
            head = self.wire.take(1 + _LENGTH.size)
            kind, size = head[:1], _LENGTH.unpack(head[1:])[0] - _LENGTH.size
            taken = min(size, _ROW_BYTES if kind == b"D" else _LONGEST)
            body = self.wire.take(taken)
            self.wire.skip(size - taken)
            if kind == b"E":
                raise _error(body, self.sql)
            if kind == b"Z":
                return
            yield kind, body


def _first(row: bytes) -> str | None:
    """The first value of a row; one without columns is empty."""
    if _COUNT.unpack_from(row)[0] == 0:
        return ""
    size = _LENGTH.unpack_from(row, _COUNT.size)[0]
    if size == _NULL:
        return None
    start = _COUNT.size + _LENGTH.size
    return row[start : start + size].decode("utf-8", "replace")


def _error(body: bytes, sql: str) -> StatementError | KsnapshotError:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code, said = fields.get(b"C", ""), fields.get(b"M", "")
    # Whatever a function of the database raises, or makes a statement of, may be made of rows.
    is_inner = b"W" in fields or b"q" in fields
    words = without_values(said, sql=sql)
    if code == _TIMEOUT:
        return StatementTimeoutError(words)
    if code.startswith(_OF_SERVER):
        told = code if is_inner else f"{code}: {words}"
        return TargetFailedError(f"the throwaway server says {told}")
    if is_inner:
        return StatementError(f"a function of the database raised an error ({code})")
    if code.startswith(_NAMING):
        return StatementError(f"{words} ({code})")
    return StatementError(f"the server says no more than {code} without values")
