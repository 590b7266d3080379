"""HTTP for engines that speak it: whole answers, and bodies as streams that a signal interrupts.

Every request runs in a thread of its own, so that whoever waits for it notices a signal or the
deadline while a server is silent. A body that breaks off is an error, never a short one.
"""

import contextlib
import http.client
import io
import os
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import ConfigurationError, ErrorClasses
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader

# Where no check was asked for there is nothing to warn of with every request.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

_FULL = "verify-full"
_CONNECT_SECONDS = 10.0
_BLOCK = 1 << 18
_READ_AHEAD = 1 << 16
_BLOCKS_AHEAD = 4
# An answer that is taken whole; more than this is a stream's.
_WHOLE_MAX = 256 << 20
# A query of hours shows nothing of a network that forgets idle connections, or of a server whose
# node is gone: after a minute of silence it is asked whether it is there.
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
    """One that takes more from the network at a time than the standard library's 8 KiB.

    Old servers send chunks of 4 KiB: with every call another thread gets its turn.
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
    """One server, as a job's connection says. Threads may share it."""

    def __init__(
        self,
        connection: Connection,
        *,
        secure: bool,
        headers: Mapping[str, str],
        errors: ErrorClasses,
    ) -> None:
        self.where = f"{connection.host}:{connection.port}"
        self._side = errors
        options: dict[str, Any] = {}
        if secure:
            # False keeps everybody from checking the name, None leaves it to the context.
            checked = None if connection.tls == _FULL else False
            options = {"ssl_context": _context(connection), "assert_hostname": checked}
        try:
            self._pool = (_Secure if secure else _Plain)(
                f"[{connection.host}]" if ":" in connection.host else connection.host,
                connection.port,
                maxsize=16,
                headers=dict(headers),
                retries=False,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=None),
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

        Raises the side's error where the server is silent for `seconds`.
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
                    raise self._side.failed(f"{self.where} answers with more than was asked for")
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

        Raises the side's error where the server cannot be reached, breaks off, or is silent for
        `seconds`.
        """
        url = f"{path}?{urlencode(query)}" if query else path

        def request() -> urllib3.BaseHTTPResponse:
            return self._pool.urlopen(
                method, url, body=body or None, preload_content=False, redirect=False
            )

        exchange = _Exchange(request, interrupt, self._failed, seconds)
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
            return self._side.refused(
                f"the certificate of {self.where} is not to be trusted: "
                f"{distrust.verify_message}: name the authority's certificate by the annotation "
                "ca-secret, or ask for less by the annotation tls"
            )
        # The SDK's texts begin with its own objects; the system's word stands at their end.
        said = str(error).rpartition(": ")[2].rstrip(")'\"")
        return self._side.failed(f"{self.where}: {type(error).__name__}: {said}")


class _Exchange:
    """One request in a thread of its own, which hands over what it reads."""

    def __init__(
        self,
        request: Callable[[], urllib3.BaseHTTPResponse],
        interrupt: Interrupt,
        failed: Callable[[Exception], Exception],
        seconds: float | None,
    ) -> None:
        self._seconds = seconds
        self._request = request
        self._interrupt = interrupt
        self._failed = failed
        self._ahead: queue.Queue[Any] = queue.Queue(_BLOCKS_AHEAD)
        self._left = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self._block = memoryview(b"")
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="http", daemon=True)

    def begin(self) -> urllib3.BaseHTTPResponse:
        """Start, and wait for the answer's head."""
        self._thread.start()
        response: urllib3.BaseHTTPResponse = self._next()
        return response

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes of the body, b"" at its end as the protocol proves it."""
        if not self._block and not self._ended:
            self._block = memoryview(self._next())
            self._ended = not self._block
        end = len(self._block) if size < 0 else size
        given, self._block = bytes(self._block[:end]), self._block[end:]
        return given

    def end(self) -> None:
        """Drop what is left of the answer, so that the thread ends."""
        self._left.set()
        if self._response is not None and not self._ended:
            # One that has come to its end meanwhile has no connection any more.
            with contextlib.suppress(ValueError, RuntimeError, OSError):
                self._response.shutdown()

    def _next(self) -> Any:
        try:
            taken = self._interrupt.get(self._ahead, seconds=self._seconds)
        except queue.Empty as error:
            silent = OSError(f"no answer within {self._seconds:.0f} s")
            raise self._failed(silent) from error
        if isinstance(taken, Exception):
            raise self._failed(taken) from taken
        return taken

    def _work(self) -> None:
        try:
            self._response = self._request()
            self._hand_over(self._response)
            self._read(self._response)
            self._hand_over(b"")
            self._response.release_conn()
        except Exception as error:  # noqa: BLE001  whoever reads raises it
            self._hand_over(error)
        finally:
            if self._response is not None and self._left.is_set():
                self._response.close()

    def _read(self, response: urllib3.BaseHTTPResponse) -> None:
        """Hand the body over, in blocks however small the pieces are that a server sends."""
        pieces, size = list[bytes](), 0
        try:
            for piece in response.stream(_BLOCK, decode_content=False):
                pieces.append(piece)
                size += len(piece)
                if size >= _BLOCK:
                    self._hand_over(b"".join(pieces))
                    pieces, size = [], 0
        finally:
            # What came before it broke off may say why.
            if size:
                self._hand_over(b"".join(pieces))

    def _hand_over(self, item: object) -> None:
        while not self._left.is_set():
            try:
                self._ahead.put(item, timeout=0.1)
            except queue.Full:
                continue
            return


def _context(connection: Connection) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=connection.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates to trust cannot be read: {error}") from error
    context.check_hostname = connection.tls == _FULL
    if connection.tls not in {"verify-ca", _FULL}:
        context.verify_mode = ssl.CERT_NONE
    if connection.certificate:
        _show(context, connection)
    return context


def _show(context: ssl.SSLContext, connection: Connection) -> None:
    """Have the client's own certificate shown; its key passes by a file that is no disk's."""
    descriptor = os.memfd_create("certificate")
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, no path
        file.write(f"{connection.certificate}\n{connection.certificate_key}\n".encode())
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the client's certificate and key cannot be read: {error}"
            ) from error


def speaks_tls(connection: Connection, interrupt: Interrupt) -> bool | None:
    """Whether a server answers to TLS, whoever it may be; None where nothing answers at all.

    Nothing but a greeting is sent, so no login can get into wrong hands.
    """
    found: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
    threading.Thread(
        target=lambda: found.put(_greet(connection)), name="greeting", daemon=True
    ).start()
    return interrupt.get(found)


def _greet(connection: Connection) -> bool | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((connection.host, connection.port), _CONNECT_SECONDS)
    except OSError:
        return None
    with plain:
        try:
            context.wrap_socket(plain, server_hostname=connection.host).close()
        except TimeoutError:
            return None
        except OSError:
            return False
    return True
