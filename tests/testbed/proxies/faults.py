"""What the failing proxies share: rules, record, listener (see tcp_faults, http_faults)."""

import abc
import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Literal, Self

from tests.testbed.toolchain.processes import free_port, wait_until

Side = Literal["request", "response"]
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    """HTTP: answers by itself; upstream never hears of the request."""

    code: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hang:
    """Says nothing for `seconds`, then goes on; without `seconds` until the rules change.

    `of="request"`: upstream has not heard of it; `"response"`: it has done it by then.
    """

    seconds: float | None = None
    of: Side = "request"


@dataclass(frozen=True, slots=True)
class Cut:
    """Drops the connection after so many bytes; HTTP counts those of the body.

    HTTP with `of="response"` and 0 bytes is the lost answer: upstream has done its work.
    """

    after: int = 0
    of: Side = "response"
    reset: bool = True
    """By RST; otherwise by FIN, which a careless reader takes for the end."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Lets so many bytes through per second."""

    bytes_per_second: int
    of: Side = "response"


@dataclass(frozen=True, slots=True)
class Truncate:
    """HTTP: the answer's body ends after so many bytes, framed as if that were all."""

    after: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody listens while a rule with this fault is set."""


Fault = Status | Hang | Cut | Slow | Truncate | Refuse


@dataclass(frozen=True, slots=True)
class Rule:
    """Which requests (TCP: connections) meet the fault; of the rules that do, the first counts."""

    fault: Fault
    method: str | None = None
    path: str | None = None
    """A regular expression, searched in path and query."""
    nth: int | None = None
    """Only the nth that matches, from 1."""
    times: int | None = None
    """Only the first so many that match."""
    since: int = 1
    """Only from this one on, of those that match."""

    def matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method) and (
            self.path is None or re.search(self.path, path) is not None
        )


@dataclass(slots=True, kw_only=True)
class Seen:
    """One request (TCP: connection) and what became of it."""

    method: str = ""
    path: str = ""
    outcome: str = "open"
    """`ok`, a fault's class name in lower case, `broken: ...`, or `open` while it lasts."""
    status: int | None = None
    sent: int = 0
    """Bytes of the body (TCP: of the stream) that went to upstream."""
    received: int = 0


@dataclass(slots=True)
class Ruled:
    """The rules in force with their counts; `changed` is set when others take their place."""

    rules: tuple[Rule, ...] = ()
    changed: threading.Event = field(default_factory=threading.Event)
    counts: dict[int, int] = field(default_factory=dict)

    def pick(self, method: str = "", path: str = "") -> Fault | None:
        picked: Fault | None = None
        for position, rule in enumerate(self.rules):
            if isinstance(rule.fault, Refuse) or not rule.matches(method, path):
                continue
            count = self.counts[position] = self.counts.get(position, 0) + 1
            fires = rule.nth in {None, count} and (rule.times is None or count <= rule.times)
            fires = fires and count >= rule.since
            if fires and picked is None:
                picked = rule.fault
        return picked


class CutError(Exception):
    """The fault wants the connection dropped now."""


class Proxy(abc.ABC):
    """A listener on a loopback port, or one of `listen`'s address; a context manager."""

    def __init__(self, host: str, port: int, *, listen: str = "127.0.0.1") -> None:
        self.upstream = (host, port)
        self.listen = listen
        self.port = free_port()
        self._lock = threading.Lock()
        self._ruled = Ruled()
        self._seen: list[Seen] = []
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def set(self, *rules: Rule | Fault) -> None:
        """Replaces all rules, counts from 0; a bare fault meets every request."""
        made = tuple(rule if isinstance(rule, Rule) else Rule(rule) for rule in rules)
        with self._lock:
            before, self._ruled = self._ruled, Ruled(made)
        before.changed.set()
        if any(isinstance(rule.fault, Refuse) for rule in made):
            self._deafen()
        elif self._listener is None:
            self._listen()

    def clear(self) -> None:
        """Lets everything through; what hangs is dropped."""
        self.set()

    def seen(self, method: str | None = None, path: str | None = None) -> list[Seen]:
        """What came through so far, in the order of arrival."""
        wanted = Rule(Refuse(), method, path)
        with self._lock:
            return [entry for entry in self._seen if wanted.matches(entry.method, entry.path)]

    def settled(self, method: str | None = None, path: str | None = None) -> list[Seen]:
        """The same once none of it is open: a client has its answer before the record has."""

        def closed() -> bool:
            return all(entry.outcome != "open" for entry in self.seen(method, path))

        wait_until(closed, seconds=10, what="the end of what the proxy carries")
        return self.seen(method, path)

    def forget(self) -> None:
        """Empties the record."""
        with self._lock:
            self._seen.clear()

    def stop(self) -> None:
        """Stops listening and drops every connection."""
        self._deafen()
        self._ruled.changed.set()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            drop(connection)

    @abc.abstractmethod
    def _serve(self, client: socket.socket) -> None:
        """Carries one accepted connection to its end."""

    def _note(self, entry: Seen) -> tuple[Ruled, Fault | None]:
        with self._lock:
            self._seen.append(entry)
            return self._ruled, self._ruled.pick(entry.method, entry.path)

    def _track(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def _release(self, connection: socket.socket, *, reset: bool = False) -> None:
        with self._lock:
            self._open.discard(connection)
        drop(connection, reset=reset)

    def _listen(self) -> None:
        listener = socket.create_server((self.listen, self.port), backlog=256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _deafen(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # close() alone leaves the port open as long as the other thread sits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._track(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()


def drop(connection: socket.socket, *, reset: bool = False) -> None:
    """Ends a connection at once, with FIN or RST, also under a thread that reads from it."""
    with contextlib.suppress(OSError):
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        # close() alone waits for a reader in another thread; socket's own shutdown, because that
        # of an SSLSocket pulls the rug from under it.
        how = socket.SHUT_RD if reset else socket.SHUT_RDWR
        socket.socket.shutdown(connection, how)
    with contextlib.suppress(OSError):
        connection.close()


def stride(fault: Fault | None, side: Side) -> int:
    """How many bytes to read at a time: under Slow a tenth of a second's worth."""
    if isinstance(fault, Slow) and fault.of == side:
        return max(1, min(CHUNK, fault.bytes_per_second // 10))
    return CHUNK


def pace(fault: Fault | None, side: Side, size: int, ruled: Ruled) -> None:
    """Waits as long as `size` bytes take under a Slow fault; other rules end the wait."""
    if isinstance(fault, Slow) and fault.of == side:
        ruled.changed.wait(size / fault.bytes_per_second)


def hang(fault: Fault | None, side: Side, ruled: Ruled) -> None:
    """Sits out a Hang fault of this side; CutError when the rules change meanwhile."""
    if isinstance(fault, Hang) and fault.of == side and ruled.changed.wait(fault.seconds):
        raise CutError
