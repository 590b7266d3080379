"""Logging in to Elasticsearch or OpenSearch: TLS, login, and which product answers."""

from base64 import b64encode
from dataclasses import replace

from dumpers.contract.connection import Connection
from dumpers.engines.elasticsearch import product
from dumpers.engines.elasticsearch.client import Server
from dumpers.engines.elasticsearch.product import Product
from dumpers.engines.login_hint import login_hint
from dumpers.runtime.errors import ConfigurationError, ErrorClasses
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.http import Http
from dumpers.streams.tls import speaks_tls


def connect(
    connection: Connection, *, errors: ErrorClasses, interrupt: Interrupt
) -> tuple[Server, Product]:
    """Connect to a server and read which product it is.

    If the connection says nothing about TLS, TLS is used where the server speaks it, and the
    certificate is checked; with a CA file or a client certificate, TLS is required. Raises the
    errors of `errors`, and ConfigurationError for an API key that no header can hold.
    """
    secure = connection.tls != "disable"
    if connection.tls in {"", "prefer"} and not connection.ca_file and not connection.certificate:
        # A login is not sent in the clear to a server that is only slow to greet.
        secure = speaks_tls(connection, interrupt) is not False
    if not connection.tls:
        connection = replace(connection, tls="verify-full")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if not connection.api_key.isprintable():
        raise ConfigurationError(
            "the API key holds a character that does not print, such as a line end: write it "
            "without"
        )
    if connection.api_key:
        headers["Authorization"] = f"ApiKey {_encoded(connection.api_key)}"
    elif connection.username:
        login = f"{connection.username}:{connection.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(login).decode()}"
    http = Http(connection, secure=secure, headers=headers, errors=errors)
    server = Server(http=http, errors=errors, hint=login_hint(connection))
    return server, _product(server, interrupt)


def _product(server: Server, interrupt: Interrupt) -> Product:
    found = product.identify(server.json("GET", "/", interrupt=interrupt))
    if found is None:
        raise server.errors.failed(
            f"{server.where} does not say which Elasticsearch or OpenSearch it is"
        )
    if found.problem:
        raise server.errors.refused(f"{server.where} is {found}: {found.problem}")
    return found


def _encoded(key: str) -> str:
    """An API key as the header has it: `id:key` is encoded here, any other is encoded already."""
    return b64encode(key.encode()).decode() if ":" in key else key
