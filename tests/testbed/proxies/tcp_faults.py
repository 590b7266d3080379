"""A proxy for plain TCP (a database's own protocol) that fails on purpose."""

import socket
import threading

from tests.testbed.proxies.faults import (
    Cut,
    CutError,
    Fault,
    Proxy,
    Ruled,
    Seen,
    Side,
    hang,
    pace,
    stride,
)


class TcpProxy(Proxy):
    """Cut, Hang, Slow and Refuse by connection; a rule's nth counts connections."""

    def _serve(self, client: socket.socket) -> None:
        seen = Seen()
        ruled, fault = self._note(seen)
        try:
            hang(fault, "request", ruled)
            upstream = socket.create_connection(self.upstream)
        except CutError:
            seen.outcome = "hang"
            self._release(client, reset=True)
            return
        except OSError as error:
            seen.outcome = f"broken: {error}"
            self._release(client, reset=True)
            return
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._track(upstream)
        meeting = (ruled, fault, seen)
        requests = threading.Thread(
            target=self._pump, args=(client, upstream, "request", meeting), daemon=True
        )
        requests.start()
        self._pump(upstream, client, "response", meeting)
        requests.join()
        if seen.outcome == "open":
            seen.outcome = "ok" if fault is None else type(fault).__name__.lower()
        self._release(client)
        self._release(upstream)

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        side: Side,
        meeting: tuple[Ruled, Fault | None, Seen],
    ) -> None:
        """Carries one direction to its end, or to the fault's."""
        ruled, fault, seen = meeting
        left = fault.after if isinstance(fault, Cut) and fault.of == side else None
        try:
            while left is None or left > 0:
                size = stride(fault, side)
                block = source.recv(size if left is None else min(left, size))
                if not block:
                    sink.shutdown(socket.SHUT_WR)
                    return
                hang(fault, side, ruled)
                sink.sendall(block)
                if side == "request":
                    seen.sent += len(block)
                else:
                    seen.received += len(block)
                pace(fault, side, len(block), ruled)
                left = None if left is None else left - len(block)
            seen.outcome = "cut"
        except CutError:
            seen.outcome = "hang"
        except OSError as error:
            if seen.outcome == "open":
                seen.outcome = f"broken: {error}"
        reset = not isinstance(fault, Cut) or fault.reset
        self._release(sink, reset=reset)
        self._release(source, reset=reset)
