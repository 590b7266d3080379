"""The first question to a server, with what helps where it cannot be asked."""

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.server.client import Server, is_secure, read_version
from dumpers.engines.clickhouse.server.errors import code_of
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.tls import answered_without_tls, speaks_tls


def greet(server: Server, connection: Connection, interrupt: Interrupt) -> str:
    """Return the release of a job's entry point.

    Raises the errors of a query, with the reason in them where TLS is wrong.
    """
    try:
        return read_version(server, interrupt)
    except (server.errors.failed, server.errors.refused) as error:
        helps = _about_tls(connection, error, interrupt) if code_of(error) is None else ""
        if not helps:
            raise
        raise _refused(server, f"{error}: {helps}") from error


def _refused(server: Server, text: str) -> KsnapshotError:
    return server.errors.refused(text)


def _about_tls(connection: Connection, error: KsnapshotError, interrupt: Interrupt) -> str:
    if is_secure(connection):
        # A busy server may leave a second greeting without an answer; its first one proves enough.
        speaks = False if answered_without_tls(error) else speaks_tls(connection, interrupt)
        if speaks is False:
            return (
                "it speaks no TLS at this port: name the right one by the annotation port (8443), "
                "or say disable by the annotation tls"
            )
    elif speaks_tls(connection, interrupt):
        return "it speaks TLS at this port: say so by the annotation tls (require, verify-full)"
    return ""
