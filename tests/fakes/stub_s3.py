"""A store, and whatever else hands out credentials, of which only the requests matter."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UPLOAD = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class StubStore:
    """Answers by `answer`, or as a store that takes everything."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked], Answer | None] = lambda _: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [f"{item.method} {item.path}" for item in self.asked]


@contextmanager
def start() -> Iterator[StubStore]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = Asked(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            stub.asked.append(asked)
            answer = stub.answer(asked) or _plain(asked)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if asked.method != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = StubStore(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _plain(asked: Asked) -> Answer:
    sse = asked.headers.get("x-amz-server-side-encryption")
    headers = {"ETag": '"e"'} | ({"x-amz-server-side-encryption": sse} if sse else {})
    if asked.method == "POST" and asked.path.endswith("?uploads"):
        return Answer(body=UPLOAD, headers=headers)
    if asked.method == "DELETE":
        return Answer(status=204)
    return Answer(headers=headers)
