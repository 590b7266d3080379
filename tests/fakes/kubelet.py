"""The part of a kubelet that serves the logs of containers, which the test writes."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.testbed.cluster.kubeapi import Api
from tests.testbed.toolchain.pki import authority


@dataclass(slots=True)
class Kubelet:
    """A node by that name; `requests` are the queries of each log that was asked for.

    `answers` are the logs in turn, the last one for ever: lines, and whether it then breaks off.
    """

    node: str
    answers: list[tuple[list[str], bool]]
    requests: list[dict[str, list[str]]] = field(default_factory=list)


@contextmanager
def serve(api: Api, folder: Path, kubelet: Kubelet) -> Iterator[None]:
    """Serve logs on loopback, and tell the API server where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kubelet.requests.append(parse_qs(urlsplit(self.path).query))
            lines, breaks = kubelet.answers[0]
            if len(kubelet.answers) > 1:
                kubelet.answers.pop(0)
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                text = f"{line}\n".encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
            if not breaks:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    pair = authority(folder).server("kubelet")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": kubelet.node},
            "status": {
                "addresses": [{"type": "Hostname", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
            },
        }
    )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
