"""One statement by the protocol of MySQL and MariaDB.

A session that does not ask for several statements at a time is refused them, and one that does not
offer local files is asked for none: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.contract.connection import Connection
from dumpers.engines.drilling.checking import (
    VALUE_BYTES,
    StatementError,
    StatementTimeoutError,
    names_of,
)
from dumpers.engines.drilling.wire import Wire
from dumpers.engines.mysql.errors import LOST_CONNECTION
from dumpers.runtime.errors import KsnapshotError, TargetFailedError
from dumpers.runtime.interrupt import Interrupt

# Long passwords, a database at login, protocol 4.1, transactions, logins by plugins: nothing else.
_WITH_DATABASE = 0x8
_ABLE = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x80000
_UTF8MB4 = 45
_QUERY = b"\x03"
_OK, _MORE, _NULL, _END, _ERROR = 0x00, 0x01, 0xFB, 0xFE, 0xFF
_LENGTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}
_WHOLE = 0xFFFFFF
_LONGEST = 1 << 20
# A length takes up to nine bytes.
_ROW_BYTES = 9 + VALUE_BYTES
_LONGEST_END = 8
_BIT = 16
# Statements that took longer than they may: of MySQL, of MariaDB.
_TIMEOUTS = frozenset((3024, 1969))
# No room or memory, a shutdown, a table that is damaged or full, a disk that fails.
_OF_SERVER = frozenset((3, 5, 11, 23, 28, 1021, 1030, 1037, 1038, 1041, 1053, 1077, 1078, 1079))
_OF_SERVER |= frozenset((1114, 1135, 1158, 1159, 1160, 1161, 1194, 1195, LOST_CONNECTION))
# What is wrong with a statement, in words of our own: a program of the database can raise any of
# these numbers, with a message that is made of rows.
_NAMING = {
    1044: "access to the database is denied",
    1045: "access is denied",
    1046: "no database is selected",
    1049: "there is no such database",
    1051: "there is no such table",
    1052: "the column is ambiguous",
    1054: "there is no such column",
    1064: "an error in the SQL syntax",
    1109: "there is no such table in the statement",
    1142: "the command is denied for the table",
    1143: "the command is denied for the column",
    1146: "there is no such table",
    1149: "an error in the SQL syntax",
    1227: "the right that this needs is denied",
    1235: "this server does not support it",
    1290: "an option of the server does not allow it",
    1295: "it is not supported here",
    1305: "there is no such function or procedure",
    1312: "a procedure cannot give rows here",
    1318: "a wrong number of arguments",
    1356: "the view refers to what is not there, or what its account may not read",
    1370: "the command is denied for the function or procedure",
    1449: "the account that a view or program runs as is not there",
    1792: "the transaction only reads",
    3118: "the account is locked",
}


def first_values(
    login: Connection, begin: Sequence[str], sql: str, interrupt: Interrupt
) -> Iterator[str | None]:
    """The first value of each row that one statement gives, after the statements of `begin`.

    Values are cut to VALUE_BYTES. Raises StatementError, and TargetFailedError where it does not
    come to the statement.
    """
    with Wire(login, interrupt) as wire:
        session = _Session(wire=wire, sql=sql, database=login.database)
        try:
            session.log_in(login)
            for statement in begin:
                for _ in session.answer(statement):
                    pass
        except StatementError as error:
            raise TargetFailedError(f"{login.username!r} cannot begin a check: {error}") from error
        yield from session.answer(sql)


@dataclass(slots=True, kw_only=True)
class _Session:
    """Packets to and from the server, each with its length and its number."""

    wire: Wire
    sql: str
    """The check that is asked."""
    database: str
    number: int = 0

    def log_in(self, login: Connection) -> None:
        greeting = self._packet()
        if greeting[0] == _ERROR:
            raise self._error(greeting)
        plugin = greeting.rstrip(b"\0").rpartition(b"\0")[2]
        able = _ABLE | (_WITH_DATABASE if login.database else 0)
        body = struct.pack("<IIB23x", able, _LONGEST, _UTF8MB4)
        # The password is empty, and so is what proves it, by every plugin.
        body += login.username.encode() + b"\0\0"
        body += login.database.encode() + b"\0" if login.database else b""
        self._send(body + plugin + b"\0")
        while (answer := self._packet())[0] != _OK:
            if answer[0] == _ERROR:
                raise self._error(answer)
            if answer[0] == _END:
                self._send(b"")
            elif answer[0] != _MORE:
                raise TargetFailedError("the throwaway server does not log in as MySQL does")

    def answer(self, sql: str) -> Iterator[str | None]:
        self.number = 0
        self._send(_QUERY + sql.encode())
        head = self._packet()
        if head[0] == _OK:
            return
        if head[0] == _ERROR:
            raise self._error(head)
        if head[0] == _NULL:
            raise StatementError("local files are not read here")
        columns, _ = _length(head)
        types = [_column_type(self._packet()) for _ in range(columns)]
        self._packet()
        while True:
            row, size = self._cut(_ROW_BYTES)
            if row[0] == _ERROR:
                raise self._error(row)
            if row[0] == _END and size <= _LONGEST_END:
                return
            yield _first(row, is_bits=types[0] == _BIT)

    def _send(self, body: bytes) -> None:
        self.wire.send(struct.pack("<I", len(body))[:3] + bytes([self.number]) + body)
        self.number = (self.number + 1) % 256

    def _packet(self) -> bytes:
        return self._cut(_LONGEST)[0]

    def _cut(self, longest: int) -> tuple[bytes, int]:
        """A packet up to `longest` bytes, and how many it has; an error's is taken whole."""
        taken, whole = b"", 0
        while True:
            head = self.wire.take(4)
            size = int.from_bytes(head[:3], "little")
            self.number = (head[3] + 1) % 256
            kept = min(size, max(longest - len(taken), 0))
            taken += self.wire.take(kept)
            if taken[:1] == bytes([_ERROR]) and kept < size <= _LONGEST:
                taken += self.wire.take(size - kept)
                kept = size
            self.wire.skip(size - kept)
            whole += size
            if size < _WHOLE:
                return taken or b"\0", whole

    def _error(self, packet: bytes) -> StatementError | KsnapshotError:
        number = int.from_bytes(packet[1:3], "little")
        if number in _TIMEOUTS:
            return StatementTimeoutError("it took too long")
        if number in _OF_SERVER:
            return TargetFailedError(f"the throwaway server says {number}: see its log")
        if number not in _NAMING:
            return StatementError(f"the server says no more than {number} without values")
        words = packet[3:].decode("utf-8", "replace")
        said = words[6:] if words.startswith("#") else words
        names = names_of(said, sql=self.sql, database=self.database)
        told = ": ".join(filter(None, (_NAMING[number], ", ".join(names))))
        return StatementError(f"{told} ({number})")


def _length(data: bytes, start: int = 0) -> tuple[int, int]:
    """A number as the protocol writes lengths, and where it ends."""
    first = data[start]
    size = _LENGTHS.get(first, 0)
    if not size:
        return first, start + 1
    return int.from_bytes(data[start + 1 : start + 1 + size], "little"), start + 1 + size


def _column_type(definition: bytes) -> int:
    """The type of a column: behind six texts, the length of the rest, charset and width."""
    place = 0
    for _ in range(6):
        size, place = _length(definition, place)
        place += size
    return definition[place + 1 + 2 + 4]


def _first(row: bytes, *, is_bits: bool) -> str | None:
    if row[0] == _NULL:
        return None
    size, start = _length(row)
    value = row[start : start + size]
    return str(int.from_bytes(value, "big")) if is_bits else value.decode("utf-8", "replace")
