"""A proxy for HTTP/1.1 that fails on purpose and passes everything else byte by byte."""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tests.testbed.proxies.faults import (
    Cut,
    CutError,
    Fault,
    Proxy,
    Ruled,
    Seen,
    Side,
    Status,
    Truncate,
    drop,
    hang,
    pace,
    stride,
)
from tests.testbed.proxies.http_wire import BrokenError, Framing, Head, Wire, tunnel
from tests.testbed.toolchain.pki import KeyPair

_SWITCHING = 101
_FINAL = 200
_BROKEN = (OSError, ValueError)
"""ValueError: a socket closed by another thread, a length that is no number."""


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """One request, its two connections and what governs it."""

    head: Head
    method: str
    client: Wire
    upstream: Wire
    ruled: Ruled
    fault: Fault | None
    seen: Seen
    cut: bool = False

    def copy(self, source: Wire, sink: Wire, framing: Framing, side: Side) -> None:
        """Carries a body over, under what the fault does to this side; CutError where it cuts."""
        left = self.fault.after if isinstance(self.fault, Cut) and self.fault.of == side else None
        for raw, content in source.body(framing, stride(self.fault, side)):
            if left is not None and len(content) >= left:
                sink.send(raw[:left])
                raise CutError
            sink.send(raw)
            left = None if left is None else left - len(content)
            if side == "request":
                self.seen.sent += len(content)
            else:
                self.seen.received += len(content)
            pace(self.fault, side, len(content), self.ruled)


class HttpProxy(Proxy):
    """Every fault, by request.

    `tls` makes it speak TLS to clients, `upstream_ca` to upstream (trusting that CA file).
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        listen: str = "127.0.0.1",
        tls: KeyPair | None = None,
        upstream_ca: Path | None = None,
    ) -> None:
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(tls.cert, tls.key)
        self._upstream_tls: ssl.SSLContext | None = None
        if upstream_ca is not None:
            self._upstream_tls = ssl.create_default_context(cafile=str(upstream_ca))
        super().__init__(host, port, listen=listen)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.listen}:{self.port}"

    def _serve(self, client: socket.socket) -> None:
        upstream: Wire | None = None
        reset = False
        try:
            wire = Wire(client := self._wrapped(client))
            while (head := wire.head()) is not None:
                if upstream is not None and upstream.ended():
                    self._release(upstream.socket)
                    upstream = None
                reset = True
                keep, upstream = self._exchange(head, wire, upstream)
                reset = False
                if not keep:
                    break
        except CutError as cut:
            reset = "orderly" not in cut.args
        except _BROKEN:
            pass  # The record says with what; the one side that is left is dropped.
        for connection in (client, upstream.socket if upstream else None):
            if connection is not None:
                self._release(connection, reset=reset)

    def _wrapped(self, client: socket.socket) -> socket.socket:
        if self._tls is None:
            return client
        with self._lock:
            self._open.discard(client)
        wrapped = self._tls.wrap_socket(client, server_side=True)
        self._track(wrapped)
        return wrapped

    def _connect(self) -> Wire:
        connection = socket.create_connection(self.upstream)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._upstream_tls is not None:
            connection = self._upstream_tls.wrap_socket(
                connection, server_hostname=self.upstream[0]
            )
        self._track(connection)
        return Wire(connection)

    def _exchange(
        self, head: Head, client: Wire, upstream: Wire | None
    ) -> tuple[bool, Wire | None]:
        """One request and its answer; whether the connection can carry another."""
        method, path, *_ = head.first.split(" ")
        seen = Seen(method=method, path=path)
        ruled, fault = self._note(seen)
        name = "ok" if fault is None else type(fault).__name__.lower()
        try:
            hang(fault, "request", ruled)
            if isinstance(fault, Status):
                seen.status = fault.code
                keep = _answer(head, client, fault)
            else:
                upstream = upstream or self._connect()
                keep = _forward(
                    _Exchange(
                        head=head,
                        method=method,
                        client=client,
                        upstream=upstream,
                        ruled=ruled,
                        fault=fault,
                        seen=seen,
                    )
                )
        except CutError:
            seen.outcome = name
            orderly = isinstance(fault, Cut) and not fault.reset
            if upstream is not None:
                self._release(upstream.socket, reset=not orderly)
            raise CutError(*(["orderly"] if orderly else [])) from None
        except _BROKEN as error:
            seen.outcome = f"broken: {error or type(error).__name__}"
            if upstream is not None:
                self._release(upstream.socket)
            raise
        seen.outcome = name
        return keep, upstream


def _answer(head: Head, client: Wire, fault: Status) -> bool:
    """The fault's own answer; a client that did not ask before its upload may finish it first."""
    expects = head.header("expect") == "100-continue"
    if not expects:
        for _ in client.body(head.request_framing()):
            pass
    try:
        phrase = HTTPStatus(fault.code).phrase
    except ValueError:
        phrase = "Fault"
    lines = [f"HTTP/1.1 {fault.code} {phrase}", f"Content-Length: {len(fault.body)}"]
    lines += [f"{name}: {value}" for name, value in fault.headers]
    lines += ["Connection: close"] if expects else []
    body = b"" if head.first.startswith("HEAD ") else fault.body
    client.send("\r\n".join([*lines, "", ""]).encode() + body)
    return not expects


def _forward(exchange: _Exchange) -> bool:
    framing = exchange.head.request_framing()
    if isinstance(exchange.fault, Cut) and exchange.fault == Cut(
        0, "request", exchange.fault.reset
    ):
        exchange.upstream.send(exchange.head.raw)
        raise CutError
    exchange.upstream.send(exchange.head.raw)
    if framing == 0:
        return _relay(exchange)
    # Both directions at once: upstream may refuse an upload before its end, and a client that
    # expects `100 Continue` waits for it.
    upload = threading.Thread(target=_upload, args=(exchange, framing), daemon=True)
    upload.start()
    try:
        keep = _relay(exchange)
    except _BROKEN:
        if exchange.cut:
            raise CutError from None
        raise
    # Where the answer came before the end of the upload, this connection is out of step.
    upload.join(timeout=1)
    return keep and not upload.is_alive()


def _upload(exchange: _Exchange, framing: Framing) -> None:
    try:
        exchange.copy(exchange.client, exchange.upstream, framing, "request")
    except CutError:
        exchange.cut = True
        # Wakes the thread that waits for an answer which will never come.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(exchange.upstream.socket, socket.SHUT_RD)
    except BrokenError:
        drop(exchange.upstream.socket)
    except _BROKEN:
        # Upstream takes no more: it may have answered why.
        pass


def _relay(exchange: _Exchange) -> bool:
    """Passes the answer on; whether both sides keep their connection."""
    fault, client, upstream = exchange.fault, exchange.client, exchange.upstream
    while True:
        head = upstream.head()
        if head is None:
            raise BrokenError("upstream ended without an answer")
        if head.status >= _FINAL or head.status == _SWITCHING:
            break
        client.send(head.raw)
    exchange.seen.status = head.status
    hang(fault, "response", exchange.ruled)
    if isinstance(fault, Cut) and fault.of == "response" and fault.after == 0:
        raise CutError
    if head.status == _SWITCHING:
        client.send(head.raw)
        tunnel(client, upstream)
        return False
    framing = head.answer_framing(exchange.method)
    if isinstance(fault, Truncate):
        _truncate(exchange, head, framing, fault.after)
        return False
    client.send(head.raw)
    exchange.copy(upstream, client, framing, "response")
    return framing != "to the end" and "close" not in head.header("connection")


def _truncate(exchange: _Exchange, head: Head, framing: Framing, after: int) -> None:
    kept = b""
    for _, content in exchange.upstream.body(framing):
        kept += content[: after - len(kept)]
        if len(kept) >= after:
            break
    exchange.seen.received = len(kept)
    exchange.client.send(head.with_length(len(kept)).raw + kept)
