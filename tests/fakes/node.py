"""A node that runs the Jobs of one namespace as processes, on a real API server.

What the kubelet, the Job controller and a container runtime would do, as far as the user's command
sees it: a pod for each Job, its log while it comes, its end with exit code and termination message.
"""

import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.paths import REPOSITORY
from tests.testbed.cluster.kubeapi import Api, ApiError
from tests.testbed.toolchain.pki import authority

Json = dict[str, Any]
_LOOK_SECONDS = 0.1


@dataclass(slots=True)
class Ran:
    """One Job that was run: its object, its environment, and its log so far."""

    job: Json
    verb: str
    env: dict[str, str]
    process: "subprocess.Popen[str]"
    lines: list[tuple[str, str]] = field(default_factory=list)
    is_over: bool = False

    @property
    def log(self) -> str:
        return "".join(f"{text}\n" for _, text in self.lines)


@dataclass(slots=True, kw_only=True)
class Node:
    """`env` are variables that every process gets besides those of its Job."""

    api: Api
    namespace: str
    name: str
    env: Mapping[str, str]
    ran: list[Ran] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def runs(self, verb: str) -> list[Ran]:
        """The Jobs of a verb, in the order of their beginning."""
        return [item for item in self.ran if item.verb == verb]

    def _work(self) -> None:
        seen: set[str] = set()
        while not self._stop.wait(_LOOK_SECONDS):
            there = set()
            for job in self.api.list("batch/v1", "Job", self.namespace):
                uid = job["metadata"]["uid"]
                there.add(uid)
                if uid not in seen and not job["spec"].get("suspend"):
                    seen.add(uid)
                    ran = self._start({"apiVersion": "batch/v1", "kind": "Job"} | job)
                    self.ran.append(ran)
                    threading.Thread(target=self._run, args=(ran,), daemon=True).start()
            for ran in self.ran:
                if ran.job["metadata"]["uid"] not in there and not ran.is_over:
                    ran.process.terminate()

    def _start(self, job: Json) -> Ran:
        [container] = job["spec"]["template"]["spec"]["containers"]
        given = {item["name"]: item["value"] for item in container["env"] if "value" in item}
        env = {
            "PATH": os.environ["PATH"],
            "HOSTNAME": f"{job['metadata']['name']}-abcde",
            **given,
            **self.env,
        }
        log = tempfile.mktemp(prefix="termination-")
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "dumpers", *container["args"]],
            cwd=REPOSITORY,
            env={**env, "KSNAPSHOT_TERMINATION_LOG": log},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        env["termination"] = log
        return Ran(job=job, verb=container["args"][0], env=env, process=process)

    def _run(self, ran: Ran) -> None:
        meta = ran.job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"]}
        with suppress(ApiError):
            pod = self.api.create(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": f"{meta['name']}-abcde",
                        "namespace": self.namespace,
                        "labels": {"job-name": meta["name"]},
                        "ownerReferences": [owner],
                    },
                    "spec": {
                        "containers": [{"name": "job", "image": "x"}],
                        "nodeName": self.name,
                    },
                }
            )
            pod = {"apiVersion": "v1", "kind": "Pod"} | pod
            self._report(pod, "Running", running={})
        assert ran.process.stdout is not None
        with ran.process.stdout as stdout:
            for line in stdout:
                moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
                ran.lines.append((moment, line.rstrip("\n")))
        code = ran.process.wait()
        ran.is_over = True
        written = Path(ran.env["termination"])
        message = written.read_text() if written.exists() else ""
        written.unlink(missing_ok=True)
        with suppress(ApiError):
            ended = {"exitCode": code, "message": message, "finishedAt": _now()}
            self._report(pod, "Failed" if code else "Succeeded", terminated=ended)
            self.api.set_status(ran.job, _failed() if code else _complete())

    def _report(self, pod: Json, phase: str, **state: object) -> None:
        status = {"name": "job", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        self.api.set_status(pod, {"phase": phase, "containerStatuses": [status | {"state": state}]})

    def _log_of(self, pod: str) -> Ran | None:
        return next(
            (item for item in self.ran if f"{item.job['metadata']['name']}-abcde" == pod), None
        )


class _Handler(BaseHTTPRequestHandler):
    """Serves the log of a container, while it comes if that is asked for."""

    node: Node
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        ran = self.node._log_of(url.path.split("/")[3])
        if ran is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = 0
        while True:
            is_over = ran.is_over
            for moment, text in ran.lines[sent:]:
                sent += 1
                self._send(f"{moment} {text}\n" if "timestamps" in query else f"{text}\n")
            if is_over or "follow" not in query or self.node._stop.is_set():
                break
            time.sleep(_LOOK_SECONDS)
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _send(self, line: str) -> None:
        raw = line.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(raw), raw))

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def handle(self) -> None:
        # Whoever followed the log may be gone.
        with suppress(OSError):
            super().handle()


@contextmanager
def run_node(node: Node, folder: Path) -> Iterator[Node]:
    """Run Jobs, and serve their logs where the API server looks for them."""

    class Handler(_Handler):
        pass

    Handler.node = node
    pair = authority(folder).server("kubelet")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threads = [
        threading.Thread(target=work, daemon=True) for work in (server.serve_forever, node._work)
    ]
    node.api.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node.name},
            "status": {
                "addresses": [{"type": "Hostname", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": server.server_port}},
            },
        }
    )
    for thread in threads:
        thread.start()
    try:
        yield node
    finally:
        node._stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
        for ran in node.ran:
            ran.process.kill()
            ran.process.wait()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _complete() -> Json:
    condition = {"status": "True", "lastTransitionTime": _now(), "reason": "Test"}
    return {
        "startTime": _now(),
        "completionTime": _now(),
        "succeeded": 1,
        "conditions": [
            condition | {"type": "SuccessCriteriaMet"},
            condition | {"type": "Complete"},
        ],
    }


def _failed() -> Json:
    condition = {
        "status": "True",
        "lastTransitionTime": _now(),
        "reason": "BackoffLimitExceeded",
    }
    return {
        "startTime": _now(),
        "conditions": [condition | {"type": "FailureTarget"}, condition | {"type": "Failed"}],
    }
