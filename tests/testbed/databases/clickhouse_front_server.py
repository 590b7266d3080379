"""ClickHouse's HTTP over its engine as a library; run as a process, a session for each request.

It speaks as servers from 25.11 on do, and fails as it is told: see `Behaviour`. Not as on a
server: there is one user, who may do everything but make another, and KILL QUERY does not know
the ids that clients give their queries.
"""

import base64
import contextlib
import gzip
import importlib
import json
import os
import re
import secrets
import sys
import tempfile
import uuid
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

CONTROL = "/behave"
PASSWORD = "FRONT_PASSWORD"
QUERY_LOG = "query_log_of_engine"
# The library gives queries ids of its own: those that clients give travel as comments.
_VIEW = (
    "CREATE VIEW system.query_log AS "
    "SELECT * REPLACE (if(log_comment = '', query_id, log_comment) AS query_id) "
    f"FROM system.{QUERY_LOG}"
)
# Parameters that are no settings.
_OWN = {
    *("buffer_size", "database", "default_format", "password"),
    *("query", "query_id", "user", "wait_end_of_query"),
}
_INSERT = re.compile(r"(\s*INSERT\s.*?)\sFORMAT\s+(\w+)\s*;?\s*", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)")
# Of the server's exceptionCodeToHTTPStatus; all others are 500.
_STATUS = {46: 404, 47: 404, 60: 404, 62: 400, 81: 404, 115: 404, 159: 408, 497: 403, 516: 403}
_AUTHENTICATION = "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)"
_TOO_MUCH = "Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How streamed answers fail; those with `wait_end_of_query` never do so midway."""

    errors: Literal["tagged", "bare"] = "tagged"
    """An error midway: its text marked by the answer's tag in a body that stays unfinished, or, as
    from servers up to 24.11, the bare text in a body that ends well."""
    after: int | None = None
    """After how many bytes answers end that are longer."""
    by: Literal["error", "cut"] = "error"
    """What ends them: an error of the query, or the end of the connection."""
    said: str = _TOO_MUCH
    """The error."""
    matching: str = ""
    """Only answers to queries with this in their text end so."""


class _InjectedError(Exception):
    """What the behaviour asks for; as if the engine had said it."""


class _CutError(Exception):
    """The connection is to end here."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], login: tuple[str, str], engine: str) -> None:
        super().__init__(address, _Handler)
        self.login = login
        self.behaviour = Behaviour()
        self.refusals = (importlib.import_module("chdb").ChdbError, RuntimeError, _InjectedError)
        self._open = importlib.import_module("chdb.session").Session
        self._engine = engine
        # The engine lives as long as one session does, its log is there after the first query.
        self._first = self._open(engine)
        for text in ("SELECT 1", "SYSTEM FLUSH LOGS", _VIEW):
            self._first.query(text)

    def session(self) -> Any:
        return contextlib.closing(self._open(self._engine))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _begun: bool
    _id: str
    _tag: str

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._whole(200, "Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        asked = dict(parse_qsl(url.query, keep_blank_values=True))
        self._begun = False
        self._id = asked.get("query_id") or str(uuid.uuid4())
        self._tag = secrets.token_hex(8)
        body = self._body()
        if not self._allowed(asked):
            self._fail(_AUTHENTICATION)
        elif url.path == CONTROL:
            self.server.behaviour = Behaviour(**json.loads(body))
            self._whole(200, "")
        else:
            self._answer(asked, body)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _allowed(self, asked: Mapping[str, str]) -> bool:
        kind, _, basic = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, password = base64.b64decode(basic).decode().partition(":")
        else:
            user = self.headers.get("X-ClickHouse-User") or asked.get("user", "default")
            password = self.headers.get("X-ClickHouse-Key") or asked.get("password", "")
        return (user, password) == self.server.login

    def _answer(self, asked: Mapping[str, str], body: bytes) -> None:
        try:
            # A result must not outlive its session: the library would wait for ever.
            with (
                self.server.session() as session,
                contextlib.closing(_results(session, asked, self._id, body)) as results,
            ):
                for piece in self._as_told(results, asked, body):
                    self._chunk(piece)
            self._end()
        except (ConnectionError, _CutError):
            self.close_connection = True
        except self.server.refusals as error:
            said = str(error)
            self._fail(said[max(said.find("Code: "), 0) :])

    def _as_told(
        self, results: Iterator[bytes], asked: Mapping[str, str], body: bytes
    ) -> Iterator[bytes]:
        behaviour = self.server.behaviour
        if asked.get("wait_end_of_query") == "1":
            return iter([b"".join(results)])
        if behaviour.matching.encode() in asked.get("query", "").encode() + body:
            return _ended(results, behaviour)
        return results

    def _chunk(self, piece: bytes) -> None:
        if piece:
            self._begin()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("X-ClickHouse-Query-Id", self._id)
        if self.server.behaviour.errors == "tagged":
            self.send_header("X-ClickHouse-Exception-Tag", self._tag)
        self.end_headers()

    def _end(self) -> None:
        self._begin()
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, said: str) -> None:
        """The error as its status where nothing was sent yet, else within the body."""
        found = _CODE.match(said)
        code = int(found[1]) if found else 1000
        if not self._begun:
            self._whole(_STATUS.get(code, 500), f"{said}\n", code)
        elif self.server.behaviour.errors == "bare":
            self._chunk(f"{said}\n".encode())
            self._end()
        else:
            length = len(f"{said}\n".encode())
            marked = (
                f"__exception__\r\n{self._tag}\r\n{said}\n{length} {self._tag}\r\n__exception__"
            )
            self._chunk(f"\r\n{marked}\r\n".encode())
            self.close_connection = True

    def _whole(self, status: int, text: str, code: int = 0) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(body)


def _results(
    session: Any, asked: Mapping[str, str], identity: str, body: bytes
) -> Generator[bytes]:
    """Runs a request's statement under its settings; what it answers, as it comes."""
    settings = {name: value for name, value in asked.items() if name not in _OWN}
    pairs = {**settings, "log_comment": identity}.items()
    session.query(f"SET {', '.join(f'{name} = {_quoted(value)}' for name, value in pairs)}")
    if database := asked.get("database"):
        session.query(f"USE `{database}`")
    query = asked.get("query", "")
    if body and (insert := _INSERT.fullmatch(query)):
        with tempfile.NamedTemporaryFile(dir=Path.cwd()) as data:
            data.write(body)
            data.flush()
            # Not by the library's own streaming insert: that hides errors, such as code 252. Nor
            # FROM INFILE, which does not know of MATERIALIZED columns.
            session.query(f"{insert[1]} SELECT * FROM file({_quoted(data.name)}, '{insert[2]}')")
        return
    text = f"{query}\n{body.decode()}"
    into = asked.get("default_format", "TabSeparated")
    if asked.get("wait_end_of_query") == "1":
        # As a stream, the library leaves out all of a document that has no rows.
        yield session.query(text, into).bytes()
        return
    try:
        stream = session.send_query(text, into)
    except Exception as error:
        if "Streaming query is not supported" not in str(error):
            raise
        yield session.query(text, into).bytes()
        return
    with stream:
        yield from (piece.bytes() for piece in stream)


def _ended(results: Iterator[bytes], behaviour: Behaviour) -> Iterator[bytes]:
    """The results as far as the behaviour lets them come."""
    left = behaviour.after
    for piece in results:
        if left is None:
            yield piece
        elif len(piece) <= left:
            left -= len(piece)
            yield piece
        else:
            yield piece[:left]
            raise _InjectedError(behaviour.said) if behaviour.by == "error" else _CutError


def _quoted(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def main() -> None:
    """Serves one engine, with its data in a folder and a configuration file, until it is ended."""
    host, port, user, data, config = sys.argv[1:]
    login = user, os.environ.pop(PASSWORD)
    _Server(
        (host, int(port)), login, f"{data}?config-file={config}&users_config={config}"
    ).serve_forever()


if __name__ == "__main__":
    main()
