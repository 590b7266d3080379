"""Asks a sidecar as a client would, and waits for what it was asked to do."""

import http.client
import json
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.databases.clickhouse_http import Login
from tests.testbed.sidecars.server import Sidecar
from tests.testbed.toolchain.processes import wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What was answered."""

    status: int
    text: str
    content: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def row(self) -> dict[str, Any]:
        [row] = self.rows
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One sidecar's."""

    sidecar: Sidecar
    login: Login | None = None
    ca: Path | None = None

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        told = dict(headers or {})
        if self.login is not None:
            secret = b64encode(f"{self.login.user}:{self.login.password}".encode()).decode()
            told["Authorization"] = f"Basic {secret}"
        host, port = self.sidecar.host, self.sidecar.port
        connection = http.client.HTTPConnection(host, port, timeout=60)
        if self.ca is not None:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection(host, port, timeout=60, context=context)
        try:
            connection.request(method, path, body, told)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Reply(
                status=answer.status, text=text, content=answer.getheader("Content-Type", "")
            )
        finally:
            connection.close()

    def get(self, path: str) -> Reply:
        return self.ask("GET", path)

    def post(self, path: str, body: object = None) -> Reply:
        if body is None:
            return self.ask("POST", path)
        headers = {"Content-Type": "application/json"}
        return self.ask("POST", path, json.dumps(body).encode(), headers)

    def run(self, path: str) -> dict[str, Any]:
        """Starts an operation and waits for its end; its row."""
        reply = self.post(path)
        assert reply.status in {200, 201}, reply.text
        return self.ended(reply.row["operation_id"])

    def ended(self, operation_id: str) -> dict[str, Any]:
        def over() -> bool:
            return bool(self.status(operation_id)["status"] != "in progress")

        wait_until(over, seconds=60, what="the end of an operation")
        return self.status(operation_id)

    def status(self, operation_id: str) -> dict[str, Any]:
        return self.get(f"/backup/status?operationid={operation_id}").row

    def quiet(self) -> list[dict[str, Any]]:
        """Waits until nothing is running; all the rows."""

        def rows() -> list[dict[str, Any]]:
            return self.get("/backup/actions").rows

        wait_until(
            lambda: not any(one["status"] == "in progress" for one in rows()),
            seconds=60,
            what="the end of all operations",
        )
        return rows()

    def names(self, where: str = "remote") -> dict[str, str]:
        """The backups, and what is said of each."""
        return {one["name"]: one["desc"] for one in self.get(f"/backup/list/{where}").rows}
