"""Queries by ClickHouse's HTTP, as a test asks them: whole answers, and errors that are raised."""

import http.client
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user of a server."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def make(cls, user: str) -> Self:
        """A user with a password of this moment's making."""
        return cls(user=user, password=secrets.token_urlsafe(18))


def ask(
    host: str,
    port: int,
    login: Login,
    body: bytes,
    *,
    path: str = "/",
    parameters: Mapping[str, str | int] | None = None,
) -> str:
    """The answer to one request; RuntimeError with what the server said.

    The server is told to hold the answer back until it knows how the query ended.
    """
    asked = urlencode({"wait_end_of_query": 1, **(parameters or {})})
    connection = http.client.HTTPConnection(host, port, timeout=120)
    try:
        headers = {"X-ClickHouse-User": login.user, "X-ClickHouse-Key": login.password}
        connection.request("POST", f"{path}?{asked}", body, headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="surrogateescape").rstrip("\n")
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"HTTP {answer.status}: {said}")
    return said


def serves(host: str, port: int) -> bool:
    """Whether a server says that it is well."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
