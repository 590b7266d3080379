"""Talking to ClickHouse over HTTP: small answers as rows, tables as streams, errors by code."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.server.errors import cure, read_error, shorten
from dumpers.engines.clickhouse.server.sql import literal, qualified, remote
from dumpers.engines.login_hint import login_hint
from dumpers.runtime.errors import ErrorClasses, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.masking import mask
from dumpers.streams.http import Answer, Http
from dumpers.streams.reader import Reader

_TLS_PORTS = frozenset((8443, 443))
_OK = 200
# A string of SQL, or what is left of one that was cut.
_STRING = r"'(?:[^'\\]|\\.)*+(?:'|\\?$)"
# Codes for which trying again cannot help: login, rights, settings that a profile forbids, syntax.
_LOGIN_REFUSALS = frozenset((192, 193, 194, 516))
_REFUSALS = frozenset((62, 115, 164, 192, 193, 194, 195, 452, 497, 516, 531))
"""https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One replica, or the entry point to them, with the settings that every query gets.

    `address` (`host:port` of the native protocol) is set if the replica is read through the entry
    point; `login` is then what the entry point logs in to the replica with. `hint` ends the message
    of a login that is refused, where the login itself looks wrong.
    """

    http: Http = field(repr=False)
    errors: ErrorClasses
    settings: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    login: tuple[str, str] = field(default=("", ""), repr=False)
    hint: str = ""

    @property
    def where(self) -> str:
        """Host and port."""
        return f"{self.address} through {self.http.where}" if self.address else self.http.where

    @property
    def answering(self) -> str:
        """Host and port of the server that runs the queries, and logs them."""
        return self.http.where

    def source(self, database: str, table: str) -> str:
        """The expression behind FROM that reads a table of the replica."""
        if not self.address:
            return qualified(database, table)
        username, password = self.login
        return remote(self.address, database, table, username=username, password=password)

    def safe(self, text: str) -> str:
        """A server's words without the password, which a query through another server holds.

        The words may have been cut, in the midst of the password, too.
        """
        username, password = self.login
        if not (self.address and password):
            return text
        shown = re.sub(rf"({re.escape(literal(username))},\s*){_STRING}", r"\1'…'", text)
        return mask(shown, (password,), known=(username, self.address))

    def rows(
        self, sql: str, interrupt: Interrupt, *, seconds: float | None = None
    ) -> list[list[Any]]:
        """Answer a SELECT; cells as JSON has them, large numbers as texts where the server does so.

        Raises the side's error with the server's own text, or where it is silent for `seconds`.
        """
        answer, body = self._whole(f"{sql} FORMAT JSONCompact", interrupt, seconds)
        try:
            rows: list[list[Any]] = json.loads(body)["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise self.errors.failed(
                f"{self.where} does not answer as ClickHouse does (status {answer.status})"
            ) from error
        return rows

    def row(self, sql: str, interrupt: Interrupt) -> list[Any]:
        """Answer a SELECT of one row.

        Raises the `refused` error where there is none: a profile drops rows of every answer.
        """
        rows = self.rows(sql, interrupt)
        if len(rows) != 1:
            raise self.errors.refused(
                f"{self.where} gives {len(rows)} rows where it must give one: the settings profile "
                "of this account cuts answers (offset, limit); take that out of it"
            )
        return rows[0]

    def run(self, sql: str, interrupt: Interrupt) -> None:
        """Run a statement without an answer."""
        self._whole(sql, interrupt)

    @contextmanager
    def stream(
        self, sql: str, interrupt: Interrupt, *, query_id: str
    ) -> Iterator[tuple[Answer, Reader]]:
        """Answer a SELECT as it comes; the reader does not judge what it reads."""
        query = {**self.settings, "query_id": query_id}
        with self.http.stream("POST", "/", query=query, body=sql.encode(), interrupt=interrupt) as (
            answer,
            reader,
        ):
            if answer.status != _OK:
                raise self._error(answer, b"".join(iter(reader.read, b"")))
            if not answer.shows_its_end or answer.headers.get("content-encoding"):
                raise self.errors.refused(
                    f"what stands between this job and {self.where} alters answers, so that their "
                    "ends cannot be told: reach the servers themselves"
                )
            yield answer, reader

    def insert(self, sql: str, data: Iterator[bytes], interrupt: Interrupt) -> None:
        """Run an INSERT with its rows as they come."""
        query = {**self.settings, "query": sql}
        with self.http.stream("POST", "/", query=query, body=data, interrupt=interrupt) as opened:
            answer, reader = opened
            body = b"".join(iter(reader.read, b""))
            if answer.status != _OK or b"DB::Exception" in body:
                raise self._error(answer, body)

    def _whole(
        self, sql: str, interrupt: Interrupt, seconds: float | None = None
    ) -> tuple[Answer, bytes]:
        # The server holds the answer back until it is whole, so that its status is the truth.
        query = {**self.settings, "wait_end_of_query": "1"}
        answer, body = self.http.whole(
            "POST",
            "/",
            query=query,
            body=sql.encode(),
            interrupt=interrupt,
            seconds=seconds,
        )
        if answer.status != _OK:
            raise self._error(answer, body)
        return answer, body

    def _error(self, answer: Answer, body: bytes) -> KsnapshotError:
        said = self.safe(body.decode("utf-8", "replace")) or "no explanation"
        header = answer.headers.get("x-clickhouse-exception-code", "")
        cause = read_error(said, header=header)
        helps = cure(said, cause.code)
        text = f"{self.where} answers with status {answer.status}: {shorten(said)}{helps}"
        if cause.code in _LOGIN_REFUSALS:
            text += self.hint
        kind = self.errors.refused if helps or cause.code in _REFUSALS else self.errors.failed
        error = kind(text)
        error.__cause__ = cause
        return error


def connect(
    connection: Connection, *, errors: ErrorClasses, settings: Mapping[str, str], address: str = ""
) -> Server:
    """A server as the job's connection says, or one behind it; nothing is sent yet.

    TLS is used where the connection asks for it, or where the port is one that speaks only that.
    """
    login = (connection.username or "default", connection.password)
    secure = is_secure(connection)
    return Server(
        http=Http(connection, secure=secure, headers=_login_headers(*login), errors=errors),
        errors=errors,
        settings=settings,
        address=address,
        login=login,
        hint=login_hint(connection),
    )


def is_secure(connection: Connection) -> bool:
    """Whether a connection uses TLS."""
    return connection.tls in {"require", "verify-ca", "verify-full"} or (
        connection.tls != "disable" and connection.port in _TLS_PORTS
    )


def _login_headers(username: str, password: str) -> Mapping[str, str]:
    if not (username + password).isprintable() or password != password.strip():
        # Headers of ClickHouse's own would lose blanks, and hold no line ends at all.
        encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
        return {"Authorization": f"Basic {encoded}"}
    headers = {"X-ClickHouse-User": username}
    if password:
        headers["X-ClickHouse-Key"] = password
    return {name: value.encode().decode("latin-1") for name, value in headers.items()}


def read_version(server: Server, interrupt: Interrupt) -> str:
    """The server's release."""
    return str(server.row("SELECT version()", interrupt)[0])
