"""TLS as a job's connection asks for it."""

import os
import queue
import socket
import ssl
import threading

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.interrupt import Interrupt

VERIFY_FULL = "verify-full"
CONNECT_SECONDS = 10.0

# How OpenSSL calls an answer that is no TLS record, by release and by the answer's first bytes.
_ANSWERED_IN_THE_CLEAR = frozenset(
    {"PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"}
)


def make_context(connection: Connection) -> ssl.SSLContext:
    """The TLS settings of a connection; ConfigurationError where a certificate cannot be read."""
    try:
        context = ssl.create_default_context(cafile=connection.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the certificates to trust cannot be read: {error}") from error
    context.check_hostname = connection.tls == VERIFY_FULL
    if connection.tls not in {"verify-ca", VERIFY_FULL}:
        context.verify_mode = ssl.CERT_NONE
    if connection.certificate:
        _load_client_certificate(context, connection)
    return context


def _load_client_certificate(context: ssl.SSLContext, connection: Connection) -> None:
    """Present the client's own certificate; its key passes through a file in memory."""
    descriptor = os.memfd_create("certificate")
    with open(descriptor, "wb") as file:  # noqa: PTH123  a descriptor, no path
        file.write(f"{connection.certificate}\n{connection.certificate_key}\n".encode())
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"the client's certificate and key cannot be read: {error}"
            ) from error


def answered_without_tls(error: BaseException | None) -> bool:
    """Whether an error, or one behind it, is that of a server which answered TLS in the clear."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and error.reason in _ANSWERED_IN_THE_CLEAR:
            return True
        error = error.__cause__ or error.__context__
    return False


def speaks_tls(connection: Connection, interrupt: Interrupt) -> bool | None:
    """Whether a server speaks TLS, whatever its certificate; None where nothing answers at all.

    Only a greeting is sent, so no login can get into wrong hands.
    """
    found: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
    threading.Thread(
        target=lambda: found.put(_greet(connection)), name="greeting", daemon=True
    ).start()
    return interrupt.get(found)


def _greet(connection: Connection) -> bool | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        plain = socket.create_connection((connection.host, connection.port), CONNECT_SECONDS)
    except OSError:
        return None
    with plain:
        try:
            context.wrap_socket(plain, server_hostname=connection.host).close()
        except TimeoutError:
            return None
        except OSError:
            return False
    return True
