"""`kubectl port-forward` to a pod that is a process on this host; everything else is kubectl's.

`python -m tests.fakes.port_forward KUBECTL ARGUMENTS…`. With FORWARD_BREAKS=FILE, the first one
that finds no such file makes it, and ends once it has carried 300,000 bytes.
"""

import os
import socket
import sys
import threading
from pathlib import Path

_BREAKS = 300_000


def main() -> None:
    """Forward, or be kubectl."""
    program, *arguments = sys.argv[1:]
    if "port-forward" not in arguments:
        os.execv(program, [program, *arguments])
    port = int(arguments[-1].removeprefix(":"))
    mark = os.environ.get("FORWARD_BREAKS", "")
    is_broken = bool(mark) and not Path(mark).exists()
    if is_broken:
        Path(mark).touch()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        own = listener.getsockname()[1]
        sys.stdout.write(f"Forwarding from 127.0.0.1:{own} -> {port}\n")
        sys.stdout.flush()
        while True:
            client, _ = listener.accept()
            upstream = socket.create_connection(("127.0.0.1", port))
            limit = _BREAKS if is_broken else None
            threading.Thread(target=_carry, args=(client, upstream, None), daemon=True).start()
            threading.Thread(target=_carry, args=(upstream, client, limit), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    carried = 0
    while block := source.recv(1 << 16):
        sink.sendall(block)
        carried += len(block)
        if limit is not None and carried > limit:
            os._exit(1)
    sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
