"""HTTP for engines that speak it: whole answers, and bodies as streams that a signal interrupts.

Every request runs in a thread of its own, so that whoever waits for it notices a signal or the
deadline while a server is silent. A body that breaks off is an error, never a short one.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import ConfigurationError, ErrorClasses
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.http_exchange import Exchange
from dumpers.streams.reader import Reader
from dumpers.streams.tls import CONNECT_SECONDS, VERIFY_FULL, make_context

# Without a check asked for, urllib3 would warn at every request.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

_READ_AHEAD = 1 << 16
# The most that is read into memory of an answer; a larger one has to be streamed.
_WHOLE_MAX = 256 << 20
# Networks forget idle connections, and nodes vanish, while a query takes hours: after a minute of
# silence the server is asked whether it is there.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The beginning of an answer; names of `headers` in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def shows_its_end(self) -> bool:
        """Whether a body that broke off can be told from a whole one."""
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return chunked or "content-length" in self.headers


class _Response(http.client.HTTPResponse):
    """Reads more from the network at a time than the standard library's 8 KiB.

    Old servers send chunks of 4 KiB, and every call gives another thread its turn.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = cast("io.BufferedReader", sock.makefile("rb", _READ_AHEAD))


class _Plain(urllib3.HTTPConnectionPool):
    class ConnectionCls(HTTPConnection):
        response_class = _Response


class _Secure(urllib3.HTTPSConnectionPool):
    class ConnectionCls(HTTPSConnection):
        response_class = _Response


class Http:
    """The server of a job's connection. Threads may share the object."""

    def __init__(
        self,
        connection: Connection,
        *,
        secure: bool,
        headers: Mapping[str, str],
        errors: ErrorClasses,
    ) -> None:
        self.where = f"{connection.host}:{connection.port}"
        self._errors = errors
        options: dict[str, Any] = {}
        if secure:
            # False keeps everybody from checking the name, None leaves it to the context.
            checked = None if connection.tls == VERIFY_FULL else False
            options = {"ssl_context": make_context(connection), "assert_hostname": checked}
        try:
            self._pool = (_Secure if secure else _Plain)(
                f"[{connection.host}]" if ":" in connection.host else connection.host,
                connection.port,
                maxsize=16,
                headers=dict(headers),
                retries=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=None),
                socket_options=[*HTTPConnection.default_socket_options, *_KEEPALIVE],
                **options,
            )
        except urllib3.exceptions.LocationValueError as error:
            raise ConfigurationError(f"{connection.host!r} is no name of a host") from error

    def whole(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        interrupt: Interrupt,
        seconds: float | None = None,
    ) -> tuple[Answer, bytes]:
        """Make a request and take all of its answer, whatever its status.

        Raises the `failed` error of `errors` where the server is silent for `seconds`.
        """
        with self.stream(
            method, path, query=query, body=body, interrupt=interrupt, seconds=seconds
        ) as opened:
            answer, reader = opened
            blocks, size = [], 0
            while block := reader.read():
                blocks.append(block)
                size += len(block)
                if size > _WHOLE_MAX:
                    raise self._errors.failed(f"{self.where} answers with more than was asked for")
            return answer, b"".join(blocks)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] = b"",
        interrupt: Interrupt,
        seconds: float | None = None,
    ) -> Iterator[tuple[Answer, Reader]]:
        """Make a request and read its answer's body as it comes; leaving early drops it.

        Raises the `failed` error of `errors` where the server cannot be reached, breaks off, or is
        silent for `seconds`.
        """
        url = f"{path}?{urlencode(query)}" if query else path

        def request() -> urllib3.BaseHTTPResponse:
            return self._pool.urlopen(
                method, url, body=body or None, preload_content=False, redirect=False
            )

        exchange = Exchange(request, interrupt, self._failed, seconds)
        try:
            response = exchange.begin()
            headers = {name.lower(): value for name, value in response.headers.items()}
            yield Answer(status=response.status, headers=headers), exchange
        finally:
            exchange.end()

    def _failed(self, error: Exception) -> Exception:
        if not isinstance(error, urllib3.exceptions.HTTPError | OSError):
            return error
        distrust = next(
            (one for one in error.args if isinstance(one, ssl.SSLCertVerificationError)), None
        )
        if distrust is not None:
            return self._errors.refused(
                f"the certificate of {self.where} is not to be trusted: "
                f"{distrust.verify_message}: name the authority's certificate by the annotation "
                "ca-secret, or ask for less by the annotation tls"
            )
        # urllib3's texts begin with its own objects; the system's message stands at their end.
        said = str(error).rpartition(": ")[2].rstrip(")'\"")
        return self._errors.failed(f"{self.where}: {type(error).__name__}: {said}")
