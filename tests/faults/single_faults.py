"""The requests of a pass, and what can go wrong with each: one fault, at one request."""

import json
import re
from dataclasses import dataclass

from tests.testbed.proxies.faults import Cut, Fault, Hang, Rule, Status, Truncate

TIMEOUT = 1
"""Seconds, of each call of the controller."""
RESTARTED, RUNNING = "restarted", "running"
LATE = "late"


def _said(code: int, reason: str, **headers: str) -> Status:
    """An answer as the API server would give it, on no object in particular."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    body |= {"message": "a fault", "reason": reason}
    pairs = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    text = json.dumps(body | {"details": {}, "code": code})
    return Status(code, text.encode(), (("Content-Type", "application/json"), *pairs))


_EVERYWHERE: dict[str, Fault] = {
    "403": _said(403, "Forbidden"),
    "409": _said(409, "Conflict"),
    "429": _said(429, "TooManyRequests", Retry_After="0"),
    "429 once": _said(429, "TooManyRequests", Retry_After="1"),
    "500": _said(500, "InternalError"),
    "hang": Hang(),
    "lost answer": Cut(),
    "truncated": Truncate(40),
}
_OF_READS: dict[str, Fault] = {"cut in the middle": Cut(after=20, reset=False)}
_OF_LISTS: dict[str, Fault] = {"404": _said(404, "NotFound")}
_OF_OTHERS: dict[str, Fault] = {"404 of a proxy": Status(404, b"404 page not found")}
_OF_WRITES: dict[str, Fault] = {
    "lost answer once": Cut(),
    "hang of the answer": Hang(of="response"),
    # It is carried out when nobody waits for it any more.
    LATE: Hang(1.5 * TIMEOUT),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Method, and path with its query."""

    method: str
    path: str

    @property
    def place(self) -> str:
        """The namespace, or the name of one that is read itself."""
        found = re.search(r"/namespaces/([^/?]+)", self.path)
        assert found
        return found[1]

    @property
    def kind(self) -> str:
        """The plural of a namespaced object, empty for a namespace itself."""
        found = re.search(r"/namespaces/[^/?]+/([^/?]+)", self.path)
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """The object's name, empty for a list and for what is created."""
        found = re.search(r"/namespaces/[^/?]+/[^/?]+/([^/?]+)", self.path)
        return found[1] if found else ""

    @property
    def faults(self) -> dict[str, Fault]:
        """What can go wrong with it."""
        if self.method != "GET":
            return _EVERYWHERE | _OF_OTHERS | _OF_WRITES
        lists = self.kind and not self.name
        return _EVERYWHERE | _OF_READS | (_OF_LISTS if lists else _OF_OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault of one request in a process that was restarted, or was not."""

    process: str
    request: Request
    fault: str

    def __str__(self) -> str:
        return f"{self.process} {self.request.method} {self.request.path} {self.fault}"

    @property
    def rule(self) -> Rule:
        """For the proxy."""
        return Rule(
            self.request.faults[self.fault],
            method=self.request.method,
            path=f"^{re.escape(self.request.path)}$",
            times=1 if self.fault.endswith("once") else None,
        )
