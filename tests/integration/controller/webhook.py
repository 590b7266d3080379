"""A webhook of the tests: it stands in for policy engines that refuse pods and for injectors."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.testbed.toolchain import pki

Json = dict[str, Any]
WHY = "images of this registry are not signed"
PROXY = "stand-in-proxy"
_OPT_OUT = "sidecar.istio.io/inject"
# Paths: what refuses every pod, what injects a container as an annotation says, and regardless.
REFUSE, INJECT, INSIST = "/refuse", "/inject", "/insist"


@contextmanager
def webhook(folder: Path) -> Iterator[Json]:
    """A webhook server for as long as a test runs: the `clientConfig` of its root path."""
    authority = pki.authority(folder, "webhook")
    pair = authority.server("webhook")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        bundle = base64.b64encode(authority.pair.cert.read_bytes()).decode()
        yield {"url": f"https://127.0.0.1:{server.server_port}", "caBundle": bundle}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configuration(kind: str, name: str, path: str, client: Json, namespace: str) -> Json:
    """The object that has the API server ask that path about each new pod of a namespace."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": "pods.webhook.test",
                "clientConfig": client | {"url": client["url"] + path},
                "rules": [pods | {"operations": ["CREATE"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }
        ],
    }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        review = json.loads(body)
        path = self.path.partition("?")[0]
        answer = {"uid": review["request"]["uid"], **_verdict(path, review["request"]["object"])}
        text = json.dumps(review | {"response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base class
        pass


def _verdict(path: str, pod: Json) -> Json:
    if path == REFUSE:
        return {"allowed": False, "status": {"message": WHY, "code": 403}}
    asked_out = (pod["metadata"].get("annotations") or {}).get(_OPT_OUT) == "false"
    if path == INJECT and asked_out:
        return {"allowed": True}
    container = {"name": PROXY, "image": "proxy"}
    patch = json.dumps([{"op": "add", "path": "/spec/containers/-", "value": container}])
    return {
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(patch.encode()).decode(),
    }
